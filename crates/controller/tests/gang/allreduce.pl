#!/usr/bin/perl
# A member of a data-parallel training, as small as one can be: all members meet at
# MASTER_ADDR:MASTER_PORT, and in every step each brings its gradient and gets the sum of all
# WORLD_SIZE of them (an all-reduce through rank 0). Rank 0 keeps a checkpoint after each step; after
# a restart all go on from it. Any member that is lost ends all others. perl-base alone is enough.
use strict;
use warnings;
use IO::Socket::INET;

$| = 1;
$SIG{PIPE} = 'IGNORE';
$SIG{TERM} = sub { exit 143 };
my ($rank, $size, $dir) = ($ENV{RANK}, $ENV{WORLD_SIZE}, $ENV{HERMEZ_CHECKPOINT_DIR});
my $steps = $ENV{STEPS} // 20;
my $pause = $ENV{STEP_SECONDS} // 0.2;

sub nap { select undef, undef, undef, $_[0] }
sub say_line { my ($to, $line) = @_; print $to "$line\n" or die "rank $rank lost a member: $!\n"; $to->flush }
sub hear { my ($from) = @_; my $line = <$from>; defined $line or die "rank $rank lost a member\n"; chomp $line; $line }
sub write_file {
    my ($name, $text) = @_;
    open(my $file, '>', "$dir/$name.new") or die "$dir/$name.new: $!";
    print $file $text;
    close $file or die "close: $!";
    rename "$dir/$name.new", "$dir/$name" or die "rename: $!";
}

# Rendezvous. Rank 0 hears every other rank once, and nobody twice.
my (@members, $master);
if ($rank == 0) {
    my $server = IO::Socket::INET->new(LocalPort => $ENV{MASTER_PORT}, Listen => 64, ReuseAddr => 1) or die "listen: $!";
    my %seen;
    while (keys %seen < $size - 1) {
        my $client = $server->accept() or next;
        my $other = hear($client);
        die "rank $other came twice\n" if $seen{$other}++;
        die "there is no rank $other\n" if $other < 1 || $other >= $size;
        push @members, $client;
    }
} else {
    until ($master = IO::Socket::INET->new(PeerAddr => $ENV{MASTER_ADDR}, PeerPort => $ENV{MASTER_PORT})) { nap(0.1) }
    say_line($master, $rank);
}
print "rank $rank of $size has met the others\n";

# All begin where rank 0's checkpoint ends.
my ($done, $weight) = (0, 0);
if ($rank == 0) {
    if (open(my $file, '<', "$dir/checkpoint")) { ($done, $weight) = split ' ', <$file> }
    write_file("began-$ENV{HERMEZ_ATTEMPT}", "$done $weight\n");
    say_line($_, "$done $weight") for @members;
} else {
    ($done, $weight) = split ' ', hear($master);
}
print "rank $rank begins after step $done\n";

for my $step ($done + 1 .. $steps) {
    my $sum = ($rank + 1) * $step;
    if ($rank == 0) {
        $sum += hear($_) for @members;
        say_line($_, $sum) for @members;
    } else {
        say_line($master, $sum);
        $sum = hear($master);
    }
    $weight += $sum;
    write_file('checkpoint', "$step $weight\n") if $rank == 0;
    nap($pause);
}
write_file('result', "$weight\n") if $rank == 0;
print "rank $rank ends with $weight\n";
