//! Reading Server-Sent Events out of bytes that arrive in pieces of any size.

/// Most bytes that one event may have.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its kind; `message` when the stream does not say.
    pub name: String,
    /// Its data; lines joined by line feeds.
    pub data: String,
    /// The id to resume after, when the stream gave one with this event.
    pub id: Option<String>,
}

/// An event was larger than a reader takes (1 MiB).
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an event of the stream is larger than 1 MiB")]
pub struct EventTooLarge;

/// The state between two pieces.
#[derive(Debug, Default)]
pub struct Parser {
    /// Bytes of a line that has not ended yet.
    line: Vec<u8>,
    /// The last byte seen was a carriage return: a line feed that follows belongs to it.
    after_return: bool,
    /// Whether the byte order mark that may open a stream was looked for.
    begun: bool,
    name: String,
    data: String,
    has_data: bool,
    id: Option<String>,
}

impl Parser {
    /// Takes the next bytes and returns the events that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, EventTooLarge> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.line_ended(&line));
                }
                _ => self.line.push(byte),
            }
            if self.line.len() + self.data.len() > EVENT_BYTES_MAX {
                return Err(EventTooLarge);
            }
        }
        Ok(events)
    }

    fn line_ended(&mut self, line: &[u8]) -> Option<Event> {
        let line = if std::mem::replace(&mut self.begun, true) {
            line
        } else {
            line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line)
        };
        if line.is_empty() {
            return self.event_ended();
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // Comments (an empty field name) keep the connection alive; `retry` is ours to decide.
            _ => {}
        }
        None
    }

    fn event_ended(&mut self) -> Option<Event> {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        let id = self.id.take();
        std::mem::take(&mut self.has_data).then(|| Event {
            name: if name.is_empty() {
                "message".to_owned()
            } else {
                name
            },
            data,
            id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str, id: Option<&str>) -> Event {
        Event {
            name: name.to_owned(),
            data: data.to_owned(),
            id: id.map(str::to_owned),
        }
    }

    /// Parses the text whole and cut at every place, and expects the same each time.
    fn check(text: &str, expect: &[Event]) {
        for cut in 0..=text.len() {
            let mut parser = Parser::default();
            let mut events = parser.push(&text.as_bytes()[..cut]).unwrap();
            events.extend(parser.push(&text.as_bytes()[cut..]).unwrap());
            assert_eq!(events, expect, "cut at {cut}");
        }
    }

    #[test]
    fn reads_names_data_and_ids() {
        check(
            "event: line\nid: 7\ndata: {\"seq\":7}\n\ndata:x\n\n",
            &[
                event("line", "{\"seq\":7}", Some("7")),
                event("message", "x", None),
            ],
        );
    }

    #[test]
    fn joins_data_of_several_lines() {
        check(
            "data: a\ndata:\ndata:  b\n\n",
            &[event("message", "a\n\n b", None)],
        );
    }

    #[test]
    fn takes_every_line_end() {
        let expect = [event("a", "1", None), event("message", "2", None)];
        check("event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", &expect);
        check("event: a\rdata: 1\r\rdata: 2\r\r", &expect);
    }

    #[test]
    fn skips_comments_unknown_fields_and_empty_events() {
        check(
            "\u{feff}: keep-alive\n\nretry: 10\nevent: nothing\n\nfoo: bar\ndata: é\n\n",
            &[event("message", "é", None)],
        );
    }

    #[test]
    fn an_unfinished_event_is_not_an_event() {
        check("data: half\n", &[]);
    }

    #[test]
    fn refuses_an_endless_event() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; EVENT_BYTES_MAX / 2];
        assert!(parser.push(b"data: ").is_ok());
        assert!(parser.push(&piece).is_ok());
        assert_eq!(parser.push(&piece), Err(EventTooLarge));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..512)) {
            let _ = Parser::default().push(&bytes);
        }
    }
}
