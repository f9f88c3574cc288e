//! A log's bytes as lines with their times.

use futures::{AsyncBufRead, AsyncBufReadExt, Stream};
use jiff::Timestamp;

use crate::ClusterError;

/// Longest line kept, in bytes.
pub(super) const LINE_LIMIT: usize = 16 * 1024;

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// When the kubelet recorded it.
    pub at: Option<Timestamp>,
    /// The text without its line end; longer lines are cut.
    pub text: String,
}

impl Line {
    /// Whether it is the kubelet's word, in place of a log, that it has not kept the log of a
    /// container that it has removed.
    pub(super) fn is_refusal(&self) -> bool {
        const SAID: [&str; 2] = [
            "unable to retrieve container logs",
            "failed to try resolving symlinks in path",
        ];
        self.at.is_none() && SAID.iter().any(|said| self.text.starts_with(said))
    }
}

/// The lines of a log whose lines begin with their time.
pub(super) fn lines(
    body: impl AsyncBufRead + Send,
) -> impl Stream<Item = Result<Line, ClusterError>> + Send {
    async_stream::stream! {
        futures::pin_mut!(body);
        let mut line = Vec::new();
        loop {
            let buffer = match body.fill_buf().await {
                Ok(buffer) => buffer,
                Err(error) => {
                    yield Err(ClusterError::Unreachable(error.to_string()));
                    return;
                }
            };
            if buffer.is_empty() {
                if !line.is_empty() {
                    yield Ok(read(&line));
                }
                return;
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            // Beyond the limit, bytes are read and dropped until the line ends.
            let room = (LINE_LIMIT + TIME_LIMIT).saturating_sub(line.len());
            line.extend_from_slice(&part[..part.len().min(room)]);
            let used = part.len() + usize::from(end.is_some());
            body.consume_unpin(used);
            if end.is_some() {
                yield Ok(read(&line));
                line.clear();
            }
        }
    }
}

/// Longest time before a line's text, in bytes.
const TIME_LIMIT: usize = 40;

fn read(line: &[u8]) -> Line {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let space = line.iter().take(TIME_LIMIT).position(|byte| *byte == b' ');
    let time = space.and_then(|space| std::str::from_utf8(&line[..space]).ok()?.parse().ok());
    let text = match (time, space) {
        (Some(_), Some(space)) => &line[space + 1..],
        _ => line,
    };
    let text = &text[..text.len().min(LINE_LIMIT)];
    Line {
        at: time,
        text: String::from_utf8_lossy(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use futures::io::Cursor;

    use super::*;

    async fn all(body: &str) -> Vec<Line> {
        let lines: Vec<_> = lines(Cursor::new(body.as_bytes().to_vec())).collect().await;
        lines
            .into_iter()
            .map(|line| line.expect("readable"))
            .collect()
    }

    #[tokio::test]
    async fn lines_have_their_time_and_no_end() {
        let lines =
            all("2026-01-02T03:04:05.123456789Z one\r\n2026-01-02T03:04:06Z two words").await;
        assert_eq!(lines[0].text, "one");
        assert_eq!(lines[0].at, "2026-01-02T03:04:05.123456789Z".parse().ok());
        assert_eq!(lines[1].text, "two words");
    }

    #[tokio::test]
    async fn lines_without_a_time_are_kept() {
        let lines = all("unable to retrieve container logs\n\n").await;
        assert!(lines[0].is_refusal() && !lines[1].is_refusal());
        assert_eq!(
            lines[0],
            Line {
                at: None,
                text: "unable to retrieve container logs".into()
            }
        );
        assert_eq!(
            lines[1],
            Line {
                at: None,
                text: String::new()
            }
        );
    }

    #[tokio::test]
    async fn long_lines_are_cut() {
        let long = "x".repeat(3 * LINE_LIMIT);
        let lines = all(&format!(
            "2026-01-02T03:04:05Z {long}\n2026-01-02T03:04:05Z next\n"
        ))
        .await;
        assert_eq!(lines[0].text.len(), LINE_LIMIT);
        assert_eq!(lines[1].text, "next");
    }
}
