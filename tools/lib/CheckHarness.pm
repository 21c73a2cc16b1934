# For tools/check: prove's harness, with an order, with what failing tests said, and a closing line of totals.
package CheckHarness ;

use strict ;
use warnings ;
use base 'TAP::Harness' ;

# What loads the machine comes before what looks at times; at last virtual machines that are alone, one after the other.
sub new
{
  my ($class, $args) = @_ ;
  my $quiet = 'vm/{begin,boot,busy,chain,console,container,detach,examples,exitrd,faults,freeze,hold,hpr,hung,inject,'
    . 'kinds,matrix,net,nuke,overlay,pivot,processes,pstore,runonce,staged,stuck,sweep-disks,sweep-processes,sysupgrade,'
    . 'umountall,unseen,watchdog,ways,whobusy}' ;
  $args->{rules} = { seq => [ { par => '{style,package,lint,unit,fuzz,portability}/**' }, { par => '{cli,ns}/**' },
    { par => $quiet }, { seq => '**' } ] } ;
  return $class->SUPER::new($args) ;
}

sub summary
{
  my ($self, $all, @args) = @_ ;
  my ($passed, $failed, $skipped) = (0, 0, 0) ;
  for my $test ($all->descriptions)
  {
    my $parser = ($all->parsers($test))[0] ;
    my $missing = ($parser->tests_planned // 0) - $parser->tests_run ;
    my $bad = $parser->failed + ($missing > 0 ? $missing : 0) ;
    $bad = 1 if !$bad && $parser->has_problems ;
    $failed += $bad ;
    $skipped += $parser->skipped + ($parser->skip_all ? 1 : 0) ;
    $passed += $parser->passed - $parser->skipped ;
    show($test) if $bad ;
  }
  $self->SUPER::summary($all, @args) ;
  print "$passed passed, $failed failed, $skipped skipped\n" ;
  exit 1 if !$passed || $failed ;
}

# Each "not ok" with what it said of itself, and the end of it all.
sub show
{
  my ($test) = @_ ;
  my (@shown, $bad) ;
  open(my $tap, '<', "$ENV{PERL_TEST_HARNESS_DUMP_TAP}/$test") or return ;
  my @lines = <$tap> ;
  for (@lines)
  {
    $bad = /^not ok/ && !/# TODO/ unless /^#/ ;
    push @shown, $_ if $bad || /^Bail out/ ;
  }
  @shown = @lines[($#lines < 10 ? 0 : $#lines - 10) .. $#lines] if !@shown ;
  print "\n$test:\n", map { "  $_" } @shown ;
}

1 ;
