//! Raw commit objects, read without trust: any bytes in, a clean [`Commit`] out.

use jiff::Timestamp;

use crate::{Commit, CommitId};

/// How much of a commit object is looked at, in bytes.
pub(crate) const MAX_OBJECT_BYTES: usize = 256 * 1024;

const MAX_TITLE: usize = 200;
const MAX_BODY: usize = 10_000;
const MAX_NAME: usize = 200;
const MAX_PARENTS: usize = 64;

/// Reads a commit object (or the beginning of a huge one).
pub(crate) fn parse(id: CommitId, raw: &[u8]) -> Commit {
    let (head, message) = match find(raw, b"\n\n") {
        Some(at) => (&raw[..at], &raw[at + 2..]),
        None => (raw, &raw[raw.len()..]),
    };
    let mut latin1 = false;
    let mut author: &[u8] = b"";
    let mut committer: &[u8] = b"";
    let mut parents = Vec::new();
    for line in head.split(|b| *b == b'\n') {
        if let Some(rest) = line.strip_prefix(b"parent ") {
            if parents.len() < MAX_PARENTS
                && let Ok(parent) = CommitId::parse(&String::from_utf8_lossy(rest))
            {
                parents.push(parent);
            }
        } else if let Some(rest) = line.strip_prefix(b"author ") {
            author = rest;
        } else if let Some(rest) = line.strip_prefix(b"committer ") {
            committer = rest;
        } else if let Some(rest) = line.strip_prefix(b"encoding ") {
            let name = String::from_utf8_lossy(rest).to_ascii_lowercase();
            latin1 = matches!(
                name.as_str(),
                "iso-8859-1" | "iso8859-1" | "latin1" | "latin-1"
            );
        }
    }
    let decode = |bytes: &[u8]| decode(bytes, latin1);
    let (name, email, _) = person(author);
    let (_, _, seconds) = person(committer);
    let message = decode(message);
    let message = message.trim_start_matches('\n');
    let (title, body) = message.split_once('\n').unwrap_or((message, ""));
    Commit {
        id,
        title: line(title, MAX_TITLE),
        body: text(body.trim_matches('\n'), MAX_BODY),
        author: line(&decode(name), MAX_NAME),
        author_email: line(&decode(email), MAX_NAME),
        committed_at: timestamp(seconds),
        parents,
    }
}

/// Seconds since the epoch, or the nearest time that can be shown.
pub(crate) fn timestamp(seconds: i64) -> Timestamp {
    let bounded = seconds.clamp(
        Timestamp::MIN.as_second() + 1,
        Timestamp::MAX.as_second() - 1,
    );
    Timestamp::from_second(bounded).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Splits `Name <email> seconds zone`.
fn person(line: &[u8]) -> (&[u8], &[u8], i64) {
    let Some(end) = line.iter().rposition(|b| *b == b'>') else {
        return (line, b"", 0);
    };
    let Some(start) = line[..end].iter().position(|b| *b == b'<') else {
        return (&line[..end], b"", 0);
    };
    let seconds = String::from_utf8_lossy(&line[end + 1..])
        .split_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(0);
    (&line[..start], &line[start + 1..end], seconds)
}

fn decode(bytes: &[u8], latin1: bool) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        // One byte, one character: what ISO-8859-1 is.
        Err(_) if latin1 => bytes.iter().map(|b| char::from(*b)).collect(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// One line: control characters become spaces, reordering marks go, at most `limit` characters.
fn line(text: &str, limit: usize) -> String {
    let clean: String = text
        .chars()
        .filter(|c| !is_reordering(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(limit + 1)
        .collect();
    cut(clean.trim(), limit)
}

/// Several lines: line ends and tabs stay, carriage returns go, other control characters become
/// spaces.
fn text(text: &str, limit: usize) -> String {
    let clean: String = text
        .chars()
        .filter(|c| !is_reordering(*c) && *c != '\r')
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => ' ',
            c => c,
        })
        .take(limit + 1)
        .collect();
    cut(clean.trim_end(), limit)
}

fn cut(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit - 1).collect();
    short.push('…');
    short
}

/// Marks that make text read in another order than it is written.
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id() -> CommitId {
        CommitId::parse(&"a".repeat(40)).unwrap()
    }

    fn raw(author: &str, message: &[u8]) -> Vec<u8> {
        let mut raw = format!(
            "tree {0}\nparent {0}\nparent {1}\nauthor {author} 1573840116 +0100\ncommitter C <c@x> 1573840117 -0800\ngpgsig -----BEGIN\n parent {0}\n -----END\n\n",
            "b".repeat(40),
            "c".repeat(40),
        )
        .into_bytes();
        raw.extend_from_slice(message);
        raw
    }

    #[test]
    fn an_ordinary_commit() {
        let commit = parse(
            id(),
            &raw("Euccas Chen <e@x.org>", b"Title\n\nBody\n\tmore\r\n\n"),
        );
        assert_eq!(commit.title, "Title");
        assert_eq!(commit.body, "Body\n\tmore");
        assert_eq!(commit.author, "Euccas Chen");
        assert_eq!(commit.author_email, "e@x.org");
        assert_eq!(commit.committed_at.as_second(), 1_573_840_117);
        assert_eq!(
            commit.parents.len(),
            2,
            "a signature's lines are no parents"
        );
    }

    #[test]
    fn control_and_reordering_characters_are_gone() {
        let commit = parse(
            id(),
            &raw(
                "A\u{1b}[31m\u{202e}B <\u{7}e@x>",
                "T\u{1b}]0;x\u{7}\u{2066}i\u{0}t\n\nB\u{1b}c\u{9b}x".as_bytes(),
            ),
        );
        let all = format!(
            "{}{}{}{}",
            commit.title, commit.body, commit.author, commit.author_email
        );
        assert!(
            !all.chars().any(|c| c.is_control() || is_reordering(c)),
            "{all:?}"
        );
    }

    #[test]
    fn other_encodings_do_no_harm() {
        let mut bytes = raw("J\u{fc}rgen <j@x>", b"x");
        assert_eq!(parse(id(), &bytes).author, "Jürgen");
        bytes =
            b"tree x\nauthor J\xfcrgen <j@x> 1 +0000\nencoding ISO-8859-1\n\nGr\xfc\xdfe".to_vec();
        let commit = parse(id(), &bytes);
        assert_eq!(
            (commit.author.as_str(), commit.title.as_str()),
            ("Jürgen", "Grüße")
        );
        bytes = b"tree x\nauthor J\xfcrgen <j@x> 1 +0000\n\nGr\xfc\xdfe".to_vec();
        assert_eq!(parse(id(), &bytes).title, "Gr\u{fffd}\u{fffd}e");
    }

    #[test]
    fn huge_texts_are_cut() {
        let long = "é".repeat(20_000);
        let commit = parse(
            id(),
            &raw(
                &format!("{long} <{long}>"),
                format!("{long}\n\n{long}").as_bytes(),
            ),
        );
        assert_eq!(commit.title.chars().count(), MAX_TITLE);
        assert!(commit.title.ends_with('…'));
        assert_eq!(commit.body.chars().count(), MAX_BODY);
        assert_eq!(commit.author.chars().count(), MAX_NAME);
    }

    #[test]
    fn impossible_times_are_shown_as_the_nearest_possible() {
        for seconds in [i64::MIN, i64::MAX, 0] {
            timestamp(seconds);
        }
        assert_eq!(timestamp(5).as_second(), 5);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let commit = parse(id(), &bytes);
            prop_assert!(!commit.title.chars().any(char::is_control));
            prop_assert!(!commit.author.chars().any(char::is_control));
        }
    }
}
