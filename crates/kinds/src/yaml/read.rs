//! From bytes to [`Node`]: events of the parser, counted, resolved by the core schema.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Number;
use serde_saphyr::granit_parser::{Event, Marker, Options, Parser, ScalarStyle, Span, Tag};

use super::{Key, Mark, Node, Yaml, YamlProblem, shorten};

/// Deepest nesting that a file may have.
const DEPTH_LIMIT: usize = 64;
/// Most values in a file, those that aliases repeat included.
const NODE_LIMIT: usize = 50_000;

/// Reads the one document of a file.
///
/// # Errors
/// [`YamlProblem`] when it is not YAML, has no document or more than one, repeats a key, uses a
/// tag, or is beyond the limits.
pub(crate) fn parse(source: &str) -> Result<Node, YamlProblem> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(source, options),
        lines: LineTable::new(source),
        anchors: HashMap::new(),
        nodes: 0,
    };
    let mut document = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => break,
            Event::DocumentStart(..) if document.is_some() => {
                return Err(YamlProblem {
                    mark: Some(reader.lines.mark(span)),
                    message: "a second document begins here; a config file has one".into(),
                    hint: Some("keep one workload in a file, and give each its own file".into()),
                });
            }
            Event::DocumentStart(..) => {
                let (event, span) = reader.next()?;
                document = Some(reader.node(event, span, 0)?);
            }
            _ => {}
        }
    }
    match document {
        Some(node) if node.value != Yaml::Null => Ok(node),
        _ => Err(YamlProblem {
            mark: None,
            message: "the file has no document".into(),
            hint: Some("write apiVersion, kind, metadata and spec".into()),
        }),
    }
}

struct Reader<'a> {
    parser: Parser<'a, serde_saphyr::granit_parser::StrInput<'a>>,
    lines: LineTable<'a>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), YamlProblem> {
        match self.parser.next_event() {
            Some(Ok(pair)) => Ok(pair),
            Some(Err(error)) => {
                let at = *error.marker();
                Err(YamlProblem {
                    mark: Some(self.lines.mark(Span::empty(at))),
                    message: format!("not valid YAML: {}", error.info()),
                    hint: Some("check the indentation, quotes and colons near here".into()),
                })
            }
            None => Err(YamlProblem {
                mark: None,
                message: "not valid YAML: the file ends too early".into(),
                hint: None,
            }),
        }
    }

    fn count(&mut self, more: usize, mark: Mark) -> Result<(), YamlProblem> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > NODE_LIMIT {
            return Err(YamlProblem {
                mark: Some(mark),
                message: format!("more than {NODE_LIMIT} values, counting what aliases repeat"),
                hint: Some("write less, or fewer aliases (*name)".into()),
            });
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, YamlProblem> {
        let mark = self.lines.mark(span);
        if depth > DEPTH_LIMIT {
            return Err(YamlProblem {
                mark: Some(mark),
                message: format!("nested more than {DEPTH_LIMIT} deep"),
                hint: None,
            });
        }
        self.count(1, mark)?;
        let before = self.nodes;
        let (value, anchor) = match event {
            Event::Alias(id) => {
                let (node, size) = self.anchors.get(&id).cloned().ok_or_else(|| YamlProblem {
                    mark: Some(mark),
                    message: "this alias repeats something that it is itself a part of".into(),
                    hint: Some("write the value out".into()),
                })?;
                self.count(size, mark)?;
                return Ok(Node { mark, ..node });
            }
            Event::Scalar(text, style, anchor, tag) => {
                (scalar(&text, style, tag.as_deref(), mark)?, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), "seq", mark)?;
                (self.list(depth)?, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), "map", mark)?;
                (self.map(depth)?, anchor)
            }
            _ => (Yaml::Null, 0),
        };
        let node = Node { mark, value };
        if anchor != 0 {
            self.anchors
                .insert(anchor, (node.clone(), self.nodes - before));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Yaml, YamlProblem> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Yaml::List(items));
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Yaml, YamlProblem> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut lines = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Yaml::Map(entries));
            }
            let key = self.key(event, span)?;
            if let Some(line) = lines.insert(key.name.clone(), key.mark.line) {
                return Err(YamlProblem {
                    mark: Some(key.mark),
                    message: format!(
                        "\"{}\" stands twice (first in line {line})",
                        shorten(&key.name)
                    ),
                    hint: Some("keep one of the two".into()),
                });
            }
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            entries.push((key, node));
        }
    }

    fn key(&mut self, event: Event<'a>, span: Span) -> Result<Key, YamlProblem> {
        let mark = self.lines.mark(span);
        self.count(1, mark)?;
        match event {
            Event::Scalar(text, ..) => Ok(Key {
                mark,
                name: text.into_owned(),
            }),
            _ => Err(YamlProblem {
                mark: Some(mark),
                message: "a key must be text".into(),
                hint: None,
            }),
        }
    }
}

fn refuse_tag(tag: Option<&Tag>, expected: &str, mark: Mark) -> Result<(), YamlProblem> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema_tag(expected) => Err(YamlProblem {
            mark: Some(mark),
            message: format!("the tag {} is not known", shorten(&tag.original())),
            hint: Some("leave the tag out".into()),
        }),
        _ => Ok(()),
    }
}

fn scalar(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    mark: Mark,
) -> Result<Yaml, YamlProblem> {
    match tag {
        Some(tag) if tag.is_yaml_core_schema_tag("str") => Ok(Yaml::Text(text.to_owned())),
        Some(tag) => {
            let plain = plain(text);
            let fits = match &plain {
                Yaml::Null => tag.is_yaml_core_schema_tag("null"),
                Yaml::Bool(_) => tag.is_yaml_core_schema_tag("bool"),
                Yaml::Number(_) => {
                    tag.is_yaml_core_schema_tag("int") || tag.is_yaml_core_schema_tag("float")
                }
                _ => false,
            };
            if fits {
                return Ok(plain);
            }
            refuse_tag(Some(tag), "str", mark).map(|()| Yaml::Text(text.to_owned()))
        }
        None if style == ScalarStyle::Plain => Ok(plain(text)),
        None => Ok(Yaml::Text(text.to_owned())),
    }
}

/// What a plain scalar means by YAML 1.2's core schema.
fn plain(text: &str) -> Yaml {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Yaml::Null,
        "true" | "True" | "TRUE" => return Yaml::Bool(true),
        "false" | "False" | "FALSE" => return Yaml::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Yaml::Text(text.to_owned()), Yaml::Number)
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return u64::from_str_radix(hexadecimal, 16).ok().map(Number::from);
    }
    let first = digits.chars().next()?;
    let follows_dot = digits
        .strip_prefix('.')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if !first.is_ascii_digit() && !follows_dot {
        return None;
    }
    if !digits
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))
    {
        return None;
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if digits.chars().all(|c| c.is_ascii_digit()) {
        if let Ok(whole) = unsigned.parse::<i64>() {
            return Some(Number::from(whole));
        }
        if let Ok(whole) = unsigned.parse::<u64>() {
            return Some(Number::from(whole));
        }
    }
    unsigned.parse::<f64>().ok().and_then(Number::from_f64)
}

/// Bytes of lines, for byte offsets from lines and columns.
struct LineTable<'a> {
    source: &'a str,
    starts: Vec<usize>,
}

impl<'a> LineTable<'a> {
    fn new(source: &'a str) -> LineTable<'a> {
        let breaks = source
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        LineTable { source, starts }
    }

    fn offset(&self, marker: Marker) -> usize {
        if let Some(offset) = marker.byte_offset() {
            return offset.min(self.source.len());
        }
        let line = marker.line().saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or(self.source.len());
        let rest = &self.source[start..];
        let within = rest
            .char_indices()
            .nth(marker.col())
            .map_or(rest.len(), |(at, _)| at);
        start + within
    }

    fn mark(&self, span: Span) -> Mark {
        let Range { start, end } = self.offset(span.start)..self.offset(span.end);
        Mark {
            start,
            end: end.max(start),
            line: u32::try_from(span.start.line()).unwrap_or(u32::MAX),
            column: u32::try_from(span.start.col() + 1).unwrap_or(u32::MAX),
        }
    }
}
