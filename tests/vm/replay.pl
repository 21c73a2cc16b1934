# replay.pl LOG IMAGE OUT CUTS SEED MIB : what a disk, IMAGE before, holds after a power cut at CUTS moments, one behind the other
# in OUT. LOG is QEMU's (blklogwrites), in the format of dm-log-writes. What was flushed is there; of each later write
# all, nothing, or its first blocks of 4 KiB; but a script's mark, behind the file system, always is.
# For each moment a line: its number, how many scripts had left their mark, how many were said to be done (by marks
# behind those), "lost" how many writes.
use strict ;
use warnings ;
use DiskLog ;

my ($logname, $image, $out, $cuts, $seed, $mib) = @ARGV ;
my ($block, $fs_end, $size) = (4096, $mib << 20, ($mib + 1) << 20) ;

my @writes = disk_writes($logname) ;
for my $w (@writes) { $w->{mark} = $w->{at} > $fs_end ? ($w->{at} - $fs_end) / $block : 0 ; }
my @marks = grep { $_->{mark} } @writes ;
die scalar(@marks) . " marks\n" unless @marks == 8 + 5 ;

open(my $in, '<:raw', $image) or die "$image: $!\n" ;
read($in, my $before, $size) == $size or die "$image is too short\n" ;
open(my $o, '>:raw', $out) or die "$out: $!\n" ;
srand($seed) ;

for my $cut (0 .. $cuts - 1)
{
  my $end = 1 + int(rand(@writes)) ;
  my @marks = grep { $_ } map { $_->{mark} } @writes[0 .. $end - 1] ;
  my $marks = grep { $_ <= 8 } @marks ;
  my ($told) = map { $_ - 8 } grep { $_ > 8 } reverse(@marks) ;
  my $disk = $before ;
  my $lost = disk_after_cut(\$disk, \@writes, $end, sub { $_[0]{mark} }) ;
  # zeros make holes
  for (my $at = 0 ; $at < $size ; $at += $block)
  {
    my $piece = substr($disk, $at, $block) ;
    next if $piece !~ /[^\0]/ ;
    seek($o, $cut * $size + $at, 0) ;
    print $o $piece or die "$out: $!\n" ;
  }
  print "$cut $marks ", $told // 0, " lost $lost at $end of " . @writes . "\n" ;
}
truncate($o, $cuts * $size) ;
close($o) or die "$out: $!\n" ;
