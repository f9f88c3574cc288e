# Keeps notes in a file on the pod's own volume: POST adds a line, GET answers with all of them.
use strict;
use warnings;
use IO::Socket::INET;

$SIG{TERM} = sub { exit 0 };
$| = 1;

my $file = ( $ENV{NOTES_FOLDER} || "/tmp" ) . "/notes";
my $server = IO::Socket::INET->new( LocalPort => 8080, Listen => 64, ReuseAddr => 1 )
  or die "cannot listen on port 8080: $!";
print "listening on 8080\n";

while ( my $client = $server->accept ) {
    my $request = <$client> // "";
    my $length  = 0;
    while ( defined( my $line = <$client> ) ) {
        last if $line =~ /^\r?\n$/;
        $length = $1 if $line =~ /^content-length:\s*(\d+)/i;
    }
    if ( $request =~ /^POST / ) {
        $length = 4096 if $length > 4096;
        read $client, my $note, $length;
        open my $out, ">>", $file or die "$file: $!";
        print $out "$note\n";
        close $out;
    }
    my $notes = "";
    if ( open my $in, "<", $file ) { local $/; $notes = <$in> // ""; }
    my $size = length $notes;
    print $client "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: $size\r\nConnection: close\r\n\r\n$notes";
    close $client;
}
