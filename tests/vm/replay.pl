# replay.pl LOG IMAGE OUT CUTS SEED MIB : what a disk, IMAGE before, holds after a power cut at CUTS moments, one behind the other
# in OUT. LOG is QEMU's (blklogwrites), in the format of dm-log-writes. What was flushed is there; of each later write
# all, nothing, or its first blocks of 4 KiB; but a script's mark, behind the file system, always is.
# For each moment a line: its number, how many scripts had left their mark, how many were said to be done (by marks
# behind those), "lost" how many writes.
use strict ;
use warnings ;
no warnings 'portable' ;   # of numbers of 64 bits

my ($logname, $image, $out, $cuts, $seed, $mib) = @ARGV ;
my ($block, $fs_end, $size) = (4096, $mib << 20, ($mib + 1) << 20) ;
my ($FLUSH, $FUA, $DISCARD) = (1, 2, 4) ;

open(my $log, '<:raw', $logname) or die "$logname: $!\n" ;
sub take { my ($at, $n) = @_ ; seek($log, $at, 0) ; read($log, my $data, $n) == $n or die "the log is too short\n" ; return $data ; }

my ($magic, $version, $count, $sector) = unpack('Q<Q<Q<L<', take(0, 28)) ;
die "not a log\n" unless $magic == 0x6a736677736872 and $version == 1 ;

my @writes ;   # { at, data, flags, mark }
my $pos = $sector ;
for (1 .. $count)
{
  my ($at, $n, $flags) = unpack('Q<Q<Q<', take($pos, 24)) ;
  $pos += $sector ;
  my $data = '' ;
  if ($flags & $DISCARD) { $data = "\0" x ($n * $sector) ; }
  elsif ($n) { $data = take($pos, $n * $sector) ; $pos += $n * $sector ; }
  push @writes, { at => $at * $sector, data => $data, flags => $flags, mark => $at * $sector > $fs_end } ;
}
my @marks = grep { $_->{mark} } @writes ;
die scalar(@marks) . " marks\n" unless @marks == 8 + 5 ;

open(my $in, '<:raw', $image) or die "$image: $!\n" ;
read($in, my $before, $size) == $size or die "$image is too short\n" ;
open(my $o, '>:raw', $out) or die "$out: $!\n" ;
srand($seed) ;

for my $cut (0 .. $cuts - 1)
{
  my $end = 1 + int(rand(@writes)) ;
  my ($flushed, $lost, $marks, $told) = (0, 0, 0, 0) ;
  for (0 .. $end - 1) { $flushed = $_ if $writes[$_]{flags} & $FLUSH ; }
  my $disk = $before ;
  for my $i (0 .. $end - 1)
  {
    my $w = $writes[$i] ;
    my $keep = length $w->{data} ;
    my $mark = $w->{mark} ? ($w->{at} - $fs_end) / $block : 0 ;
    $marks++ if $mark and $mark <= 8 ;
    $told = $mark - 8 if $mark > 8 ;
    if ($i >= $flushed and !$w->{mark} and !($w->{flags} & $FUA) and $keep)
    {
      my $kind = int(rand(3)) ;
      $keep = 0 if $kind == 1 ;
      $keep = $block * int(rand($keep / $block)) if $kind == 2 and $keep > $block ;
      $lost++ if $keep < length $w->{data} ;
    }
    substr($disk, $w->{at}, $keep) = substr($w->{data}, 0, $keep) ;
  }
  # zeros make holes
  for (my $at = 0 ; $at < $size ; $at += $block)
  {
    my $piece = substr($disk, $at, $block) ;
    next if $piece !~ /[^\0]/ ;
    seek($o, $cut * $size + $at, 0) ;
    print $o $piece or die "$out: $!\n" ;
  }
  print "$cut $marks $told lost $lost at $end of " . @writes . "\n" ;
}
truncate($o, $cuts * $size) ;
close($o) or die "$out: $!\n" ;
