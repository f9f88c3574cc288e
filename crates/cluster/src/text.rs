//! Bounds on text that comes from the cluster.

/// At most `bytes` of a text, cut between characters and ended with an ellipsis when cut.
pub(crate) fn clip(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::clip;

    #[test]
    fn cuts_between_characters() {
        assert_eq!(clip("äöü", 6), "äöü");
        assert_eq!(clip("äöü", 5), "äö…");
        assert_eq!(clip("äöü", 0), "…");
    }
}
