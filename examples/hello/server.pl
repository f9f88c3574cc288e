# A small web server: one page, and /healthz. Only what Debian's perl-base has.
use strict;
use warnings;
use IO::Socket::INET;

$| = 1;
# The first process of a container gets no default action for signals.
$SIG{TERM} = $SIG{INT} = sub { print "stopping\n"; exit 0 };
$SIG{PIPE} = 'IGNORE';

open my $file, '<', 'message.txt' or die "message.txt: $!\n";
chomp(my $message = do { local $/; <$file> });
close $file;
my %escape = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;');
$message =~ s/([&<>])/$escape{$1}/g;
my $pod = $ENV{HOSTNAME} // 'unknown';

my $page = <<"PAGE";
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>hello</title>
<style>
  :root { color-scheme: light dark; font-family: system-ui, sans-serif }
  body { margin: 0; min-height: 100vh; display: grid; place-content: center; text-align: center }
  h1 { font-size: clamp(2rem, 7vw, 4.5rem); margin: 0 1rem .5rem }
  p { opacity: .7 }
</style>
<h1>$message</h1>
<p>Served by pod <code>$pod</code>. Edit <code>message.txt</code>, push, and deploy the commit.</p>
</html>
PAGE

my $port = $ENV{PORT} // 8080;
my $server = IO::Socket::INET->new(LocalPort => $port, Listen => 128, ReuseAddr => 1)
    or die "cannot listen on port $port: $!\n";
print "listening on port $port\n";

while (1) {
    my $client = $server->accept or next;
    # A client that says nothing must not keep the others waiting.
    eval {
        local $SIG{ALRM} = sub { die "too slow\n" };
        alarm 5;
        answer($client);
        alarm 0;
    };
    alarm 0;
    close $client;
}

sub answer {
    my ($client) = @_;
    my $request = <$client> // return;
    my ($method, $path) = split ' ', $request;
    while (my $header = <$client>) { last if $header =~ /^\r?\n$/ }
    my ($status, $type, $body) =
          ($path // '') eq '/healthz' ? ('200 OK',        'text/plain',               "ok\n")
        : ($path // '') eq '/'        ? ('200 OK',        'text/html; charset=utf-8', $page)
        :                               ('404 Not Found', 'text/plain',               "not found\n");
    print "$method $path $status\n" if ($path // '') ne '/healthz';
    print $client "HTTP/1.1 $status\r\nContent-Type: $type\r\nContent-Length: ", length $body,
        "\r\nConnection: close\r\n\r\n", $body;
}
