//! One HTTP/1.1 request over a plain connection: enough for readiness probes
//! and the forge's API on loopback, and no more. Answers are bounded.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const LIMIT_BYTES: u64 = 4 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(10);

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The body, as text. A chunked body keeps its chunk headers.
    pub body: String,
}

/// A request without its destination.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// `GET`, `POST`, …; `GET` when empty.
    pub method: &'a str,
    /// The path and query.
    pub path: &'a str,
    /// Headers beside the usual ones.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body; JSON when there is one.
    pub body: &'a str,
}

impl Request<'_> {
    /// The request as it goes over the wire. HTTP/1.0 keeps servers from
    /// chunking the answer.
    pub fn render(&self, host: &str) -> String {
        use std::fmt::Write as _;
        let method = if self.method.is_empty() {
            "GET"
        } else {
            self.method
        };
        let mut text = format!(
            "{method} {} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n",
            self.path
        );
        for (name, value) in self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        if !self.body.is_empty() {
            let _ = write!(
                text,
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                self.body.len()
            );
        }
        text + "\r\n" + self.body
    }

    /// Sends it and waits for the whole answer.
    pub fn send(&self, address: SocketAddr) -> io::Result<Response> {
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.write_all(self.render(&address.to_string()).as_bytes())?;
        let mut bytes = Vec::new();
        stream.take(LIMIT_BYTES).read_to_end(&mut bytes)?;
        parse(&bytes)
    }
}

/// Reads an answer that has arrived whole.
pub fn parse(bytes: &[u8]) -> io::Result<Response> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer");
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(malformed)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(malformed)?;
    Ok(Response {
        status,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_with_a_body_says_its_length() {
        let request = Request {
            method: "POST",
            path: "/x",
            headers: &[("A", "b")],
            body: "{}",
        };
        let text = request.render("h:1");
        assert_eq!(
            text,
            "POST /x HTTP/1.0\r\nHost: h:1\r\nConnection: close\r\nA: b\r\n\
             Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        );
    }

    #[test]
    fn an_answer_is_split_at_the_empty_line() {
        let response = parse(b"HTTP/1.1 201 Created\r\nA: b\r\n\r\nbody\r\n\r\nmore").unwrap();
        assert_eq!(
            response,
            Response {
                status: 201,
                body: "body\r\n\r\nmore".into()
            }
        );
        assert!(parse(b"SSH-2.0").is_err());
    }
}
