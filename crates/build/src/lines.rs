//! Turns what a command writes into lines fit for a log: whole, clean, bounded. Pure.

use hermez_source::{ExposeSecret, SecretString};

/// Longest line that is kept, in bytes.
pub(crate) const MAX_LINE_BYTES: usize = 8 * 1024;
/// Shorter texts are not masked: they would blacken half of every log.
const MIN_MASK_BYTES: usize = 4;

/// Gathers pieces of output into lines.
#[derive(Debug, Default)]
pub(crate) struct LineBuffer {
    part: Vec<u8>,
    cut: bool,
}

impl LineBuffer {
    /// Takes a piece of output and gives the lines that it completes.
    pub fn take(&mut self, piece: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in piece {
            if *byte == b'\n' {
                lines.push(self.end());
            } else if *byte == b'\r' && self.part.len() >= MAX_LINE_BYTES {
                // A progress bar that never ends its line: what comes now overwrites it.
                self.part.clear();
                self.cut = false;
            } else if self.part.len() < MAX_LINE_BYTES {
                self.part.push(*byte);
            } else {
                self.cut = true;
            }
        }
        lines
    }

    /// Ends the line that is begun, if there is one.
    pub fn flush(&mut self) -> Option<String> {
        (!self.part.is_empty()).then(|| self.end())
    }

    fn end(&mut self) -> String {
        let raw = std::mem::take(&mut self.part);
        let mut line = clean(&String::from_utf8_lossy(&raw));
        if std::mem::take(&mut self.cut) {
            line.push_str(" … [line cut]");
        }
        line
    }
}

/// Takes out what only a terminal understands. Of a line that was overwritten (`\r`), the last
/// state stays.
pub(crate) fn clean(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let line = line
        .rsplit('\r')
        .find(|part| !part.is_empty())
        .unwrap_or("");
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\t' => text.push('\t'),
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
    text
}

/// Skips an escape sequence whose ESC has been read.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        // CSI: parameters up to a final byte.
        Some('[') => {
            for c in chars.by_ref() {
                if ('@'..='~').contains(&c) {
                    break;
                }
            }
        }
        // OSC: up to BEL or ESC \.
        Some(']') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        _ => {}
    }
}

/// Replaces each secret by `***`.
pub(crate) fn mask(text: String, secrets: &[SecretString]) -> String {
    secrets
        .iter()
        .map(ExposeSecret::expose_secret)
        .filter(|secret| secret.len() >= MIN_MASK_BYTES)
        .fold(text, |text, secret| {
            if text.contains(secret) {
                text.replace(secret, "***")
            } else {
                text
            }
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pieces_become_whole_lines() {
        let mut buffer = LineBuffer::default();
        assert_eq!(buffer.take(b"one\ntw"), ["one"]);
        assert_eq!(buffer.take(b"o\n\nthree"), ["two", ""]);
        assert_eq!(buffer.flush().as_deref(), Some("three"));
        assert_eq!(buffer.flush(), None);
    }

    #[test]
    fn a_character_split_between_pieces_is_whole() {
        let mut buffer = LineBuffer::default();
        assert!(buffer.take(b"gr\xc3").is_empty());
        assert_eq!(buffer.take(b"\xbcn\n"), ["grün"]);
    }

    #[test]
    fn terminal_tricks_are_gone() {
        assert_eq!(clean("10%\r50%\r100%\r"), "100%");
        assert_eq!(
            clean("\u{1b}[1;31mred\u{1b}[0m \u{1b}]0;title\u{7}x\u{1b}(B\ty\u{8}"),
            "red xB\ty"
        );
        assert_eq!(clean("\r"), "");
        assert_eq!(clean("\u{1b}["), "");
    }

    #[test]
    fn a_line_without_end_is_cut_and_costs_no_memory() {
        let mut buffer = LineBuffer::default();
        for _ in 0..100 {
            assert!(buffer.take(&[b'x'; 4096]).is_empty());
        }
        let lines = buffer.take(b"\nnext\n");
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with("[line cut]") && lines[0].len() < MAX_LINE_BYTES + 20);
        assert_eq!(lines[1], "next");
    }

    #[test]
    fn secrets_are_masked() {
        let secrets = [SecretString::from("hunter2"), SecretString::from("x")];
        assert_eq!(mask("a hunter2 x".to_owned(), &secrets), "a *** x");
    }

    proptest! {
        #[test]
        fn any_bytes_become_clean_lines(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..10)) {
            let mut buffer = LineBuffer::default();
            let mut lines: Vec<String> = pieces.iter().flat_map(|p| buffer.take(p)).collect();
            lines.extend(buffer.flush());
            for line in lines {
                prop_assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{line:?}");
            }
        }
    }
}
