//! A visitor of the preview gateway: a program with a token, or a browser with cookies.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, AUTHORIZATION, COOKIE, HOST, LOCATION, SET_COOKIE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// Key of RFC 6455's own example, and the answer to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPTED: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Who came, as whatever ends TLS says: an address of RFC 5737, for documentation.
pub const VISITOR: &str = "192.0.2.7";

/// What a visitor shows.
#[derive(Clone, Copy)]
pub enum Shows<'a> {
    /// Nothing.
    Nothing,
    /// An API token.
    Token(&'a str),
    /// A cookie, as `name=value`.
    Cookie(&'a str),
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status code.
    pub status: u16,
    /// Where it leads.
    pub location: Option<String>,
    /// The first cookie that it sets, as `name=value`.
    pub cookie: Option<String>,
    /// How that cookie is set, with all its attributes.
    pub set_cookie: Option<String>,
    /// The body.
    pub text: String,
}

/// A client that knows where names below `localhost` are.
fn client(url: &Url) -> Result<(reqwest::Client, String)> {
    let host = url.host_str().context("a URL without a host")?;
    let port = url.port_or_known_default().unwrap_or(80);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_mins(2))
        .resolve(host, address)
        .build()?;
    Ok((client, format!("{host}:{port}")))
}

/// Asks for a page.
///
/// # Errors
/// When nothing answers.
pub async fn visit(url: &Url, shows: Shows<'_>, html: bool) -> Result<Answer> {
    let (client, _) = client(url)?;
    ask(client.get(url.clone()), shows, html).await
}

/// Sends a form's words, as a program does.
///
/// # Errors
/// When nothing answers.
pub async fn submit(url: &Url, shows: Shows<'_>, words: &str) -> Result<Answer> {
    let (client, _) = client(url)?;
    ask(
        client.post(url.clone()).body(words.to_owned()),
        shows,
        false,
    )
    .await
}

/// Asks for a page of an `https` URL as whatever ends TLS in front passes it on: without TLS, to the
/// server's own port on this machine, for the same host, with the words about where it came from.
///
/// # Errors
/// When nothing answers.
pub async fn visit_behind_tls(
    url: &Url,
    port: u16,
    shows: Shows<'_>,
    html: bool,
) -> Result<Answer> {
    anyhow::ensure!(url.scheme() == "https", "{url} is not for TLS");
    let host = url.host_str().context("a URL without a host")?;
    let mut inside: Url = format!("http://127.0.0.1:{port}").parse()?;
    inside.set_path(url.path());
    inside.set_query(url.query());
    let (client, _) = client(&inside)?;
    let request = client
        .get(inside)
        .header(HOST, host)
        .header("X-Forwarded-For", VISITOR)
        .header("X-Forwarded-Proto", "https");
    ask(request, shows, html).await
}

async fn ask(request: RequestBuilder, shows: Shows<'_>, html: bool) -> Result<Answer> {
    let accept = if html { "text/html,*/*" } else { "*/*" };
    let mut request = request.header(ACCEPT, accept);
    request = match shows {
        Shows::Nothing => request,
        Shows::Token(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
        Shows::Cookie(cookie) => request.header(COOKIE, cookie),
    };
    let response = request.send().await?;
    let header = |name| {
        let value = response.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let set_cookie = header(SET_COOKIE);
    let cookie = set_cookie.as_deref().and_then(|it| it.split(';').next());
    Ok(Answer {
        status: response.status().as_u16(),
        location: header(LOCATION),
        cookie: cookie.map(str::to_owned),
        set_cookie,
        text: response.text().await?,
    })
}

/// Opens a WebSocket at `/socket`, says `text` and gives what is said back.
///
/// # Errors
/// When the handshake or a frame is not as RFC 6455 says.
pub async fn echo(url: &Url, shows: Shows<'_>, text: &str) -> Result<String> {
    let (_, host) = client(url)?;
    let shown = match shows {
        Shows::Nothing => String::new(),
        Shows::Token(token) => format!("Authorization: Bearer {token}\r\n"),
        Shows::Cookie(cookie) => format!("Cookie: {cookie}\r\n"),
    };
    let port = url.port_or_known_default().unwrap_or(80);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request = format!(
        "GET /socket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{shown}\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        anyhow::ensure!(head.len() < 8192, "an endless handshake");
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    anyhow::ensure!(
        head.starts_with("http/1.1 101") && head.contains(&ACCEPTED.to_lowercase()),
        "{head}"
    );
    let mask = [7, 13, 99, 201_u8];
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len())?];
    frame.extend(mask);
    frame.extend(
        text.bytes()
            .enumerate()
            .map(|(at, byte)| byte ^ mask[at % 4]),
    );
    stream.write_all(&frame).await?;
    let first = stream.read_u8().await?;
    let length = stream.read_u8().await?;
    anyhow::ensure!(
        first == 0x81 && length < 126,
        "a frame {first:x} {length:x}"
    );
    let mut said = vec![0; usize::from(length)];
    stream.read_exact(&mut said).await?;
    Ok(String::from_utf8(said)?)
}
