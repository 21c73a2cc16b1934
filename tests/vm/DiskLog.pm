# What QEMU (blklogwrites) has written down of a disk, in the format of dm-log-writes; and what the disk may hold when
# the power fails.
package DiskLog ;
use strict ;
use warnings ;
no warnings 'portable' ;   # of numbers of 64 bits
use Exporter 'import' ;
our @EXPORT = qw(disk_writes disk_after_cut) ;

my ($FLUSH, $FUA, $DISCARD) = (1, 2, 4) ;
my $block = 4096 ;

# disk_writes LOG : a list of { at, data, flush, fua }, in bytes, in their order
sub disk_writes
{
  my ($name) = @_ ;
  open(my $log, '<:raw', $name) or die "$name: $!\n" ;
  my $take = sub { seek($log, $_[0], 0) ; read($log, my $data, $_[1]) == $_[1] or die "the log is too short\n" ; $data } ;
  my ($magic, $version, $count, $sector) = unpack('Q<Q<Q<L<', $take->(0, 28)) ;
  die "not a log\n" unless $magic == 0x6a736677736872 and $version == 1 ;
  my ($pos, @writes) = ($sector) ;
  for (1 .. $count)
  {
    my ($at, $n, $flags) = unpack('Q<Q<Q<', $take->($pos, 24)) ;
    my $data = '' ;
    $pos += $sector ;
    if ($flags & $DISCARD) { $data = "\0" x ($n * $sector) ; }
    elsif ($n) { $data = $take->($pos, $n * $sector) ; $pos += $n * $sector ; }
    push @writes, { at => $at * $sector, data => $data, flush => $flags & $FLUSH, fua => $flags & $FUA } ;
  }
  return @writes ;
}

# disk_after_cut DISK WRITES END SAFE : changes it (by reference) as the first END of the writes would. What was flushed
# is there; of each later write all, nothing, or its first blocks of 4 KiB, unless SAFE->(it) says otherwise. Returns how
# many were lost. What is behind the disk's end is left out.
sub disk_after_cut
{
  my ($disk, $writes, $end, $safe) = @_ ;
  my ($flushed, $lost) = (0, 0) ;
  for (0 .. $end - 1) { $flushed = $_ if $writes->[$_]{flush} ; }
  for my $i (0 .. $end - 1)
  {
    my $w = $writes->[$i] ;
    my $keep = length $w->{data} ;
    if ($i >= $flushed and !$w->{fua} and $keep and !($safe and $safe->($w)))
    {
      my $kind = int(rand(3)) ;
      $keep = 0 if $kind == 1 ;
      $keep = $block * int(rand($keep / $block)) if $kind == 2 and $keep > $block ;
      $lost++ if $keep < length $w->{data} ;
    }
    next if $w->{at} >= length $$disk ;
    $keep = length($$disk) - $w->{at} if $w->{at} + $keep > length $$disk ;
    substr($$disk, $w->{at}, $keep) = substr($w->{data}, 0, $keep) ;
  }
  return $lost ;
}

1 ;
