# upgrade-cuts.pl DIR ROOT_AT A B CUTS SEED : what would be the root after a power cut at CUTS moments of an upgrade from
# the image A to B. DIR/before.img is the disk before, DIR/writes.log what was written, ROOT_AT where the root begins, in
# MiB. A line for each: old, none, new; or what is wrong. Both images are squashfs.
use strict ;
use warnings ;
use Digest::SHA 'sha256_hex' ;
use List::Util 'max' ;
use DiskLog ;

my ($dir, $root_at, $a, $b, $cuts, $seed) = @ARGV ;
my ($mib, $block) = (1 << 20, 4096) ;
sub slurp { my ($name, $n) = @_ ; open(my $f, '<:raw', $name) or die "$name: $!\n" ; read($f, my $data, $n // -s $f) ; $data }
my ($old, $new) = (slurp($a), slurp($b)) ;
my $config_at = $mib * int((length($new) + $mib - 1) / $mib) ;
my $size = $root_at * $mib + max($config_at + $mib, length $old) ;     # misc, and enough of the target
my $before = slurp("$dir/before.img", $size) ;
my @writes = map { by_sectors($_) } disk_writes("$dir/writes.log") ;
# a moment is behind one of the writes to these
my @there = grep { my $w = $writes[$_] ; length $w->{data} and $w->{at} < $size } 0 .. $#writes ;
srand($seed) ;

my $disk ;

# by_sectors WRITE : a disk may tear the first block, but no sector
sub by_sectors
{
  my ($w) = @_ ;
  return $w if $w->{at} != $root_at * $mib or length $w->{data} < $block ;
  my $part = sub { +{ %$w, at => $w->{at} + $_[0], data => substr($w->{data}, $_[0], $_[1]), flush => !$_[0] && $w->{flush} } } ;
  return ((map { $part->(512 * $_, 512) } 0 .. 7), $part->($block, length($w->{data}) - $block)) ;
}

# record : the newest one in the misc partition that is whole
sub record
{
  my ($best, $text) = (0, '') ;
  for my $n (0, 1)
  {
    my $slot = substr($disk, $mib + $n * $block, $block) =~ s/\0+$//r ;
    next unless $slot =~ /^(serial (\d+)\n.*\n)sum ([0-9a-f]{64})\n$/s and sha256_hex($1) eq $3 and $2 > $best ;
    ($best, $text) = ($2, $1) ;
  }
  return $text ;
}

sub root { return substr($disk, $root_at * $mib + $_[0], $_[1]) ; }

sub judge
{
  my $head = root(0, $block) ;
  my $record = record() ;
  my $written = $record =~ /^written$/m ;
  return 'none' if $head !~ /^hsqs/ ;
  if ($head eq substr($old, 0, $block))
  {
    return 'the old root is taken for the new one' if $written ;
    return root(0, length $old) eq $old ? 'old' : 'half of the old root' ;
  }
  return 'half a block' if $head ne substr($new, 0, $block) ;
  return 'half of the new root' if root(0, length $new) ne $new ;
  my ($sum, $bytes) = $record =~ /^config ([0-9a-f]{64}) (\d+)$/m or return 'new without a record' ;
  return 'new without its configuration' if !$written or sha256_hex(root($config_at, $bytes)) ne $sum ;
  return 'new' ;
}

for (1 .. $cuts)
{
  $disk = $before ;
  disk_after_cut(\$disk, \@writes, 1 + $there[int(rand(@there))]) ;
  print judge(), "\n" ;
}
