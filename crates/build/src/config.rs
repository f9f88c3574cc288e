//! `.hermez.yaml`: what to build, where the Dockerfile alone does not say it.
//!
//! ```yaml
//! build:
//!   images:
//!     - name: web                    # as containers write it in `image`
//!       dockerfile: web/Dockerfile   # from the repository's root; default: Dockerfile in the context
//!       context: web                 # default: the Dockerfile's folder
//!       target: release              # a stage; default: the last
//!       args: {VERSION: "1.2"}
//!       timeout: 40m                 # default: 20m; at most 4h
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;

/// Largest file that is read, in bytes.
const MAX_BYTES: usize = 64 * 1024;
/// Most images of one file.
const MAX_IMAGES: usize = 20;
/// Most build arguments of one image, and their longest value in characters.
const MAX_ARGS: usize = 50;
const MAX_ARG_CHARS: usize = 4096;
/// Longest time limit.
const MAX_TIMEOUT_MS: u64 = 4 * 60 * 60 * 1000;

/// A `.hermez.yaml`, read and checked. Paths count from the repository's root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HermezYaml {
    /// Images to build (`build.images`); empty when the file has no `build`.
    pub images: Vec<ImageConfig>,
}

/// One image of `build.images`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageConfig {
    /// Name, as containers write it in `image`.
    pub name: String,
    /// Path of the Dockerfile; absent: `Dockerfile` in the context.
    pub dockerfile: Option<String>,
    /// Path of the build context; absent: the Dockerfile's folder.
    pub context: Option<String>,
    /// Stage to build; absent: the last.
    pub target: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// Time limit, in milliseconds; absent: 20 minutes.
    pub timeout_ms: Option<u64>,
}

/// What is wrong with a `.hermez.yaml`, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigProblem {
    /// What is wrong.
    pub message: String,
    /// Line, from 1, where it is known.
    pub line: Option<u32>,
    /// Column in characters, from 1.
    pub column: Option<u32>,
    /// The field, such as `build.images[0].timeout`, where it is known.
    pub field: Option<String>,
    /// What to write instead.
    pub hint: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    build: Option<RawBuild>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBuild {
    images: Vec<RawImage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawImage {
    name: String,
    dockerfile: Option<String>,
    context: Option<String>,
    target: Option<String>,
    #[serde(default)]
    args: BTreeMap<String, String>,
    timeout: Option<String>,
}

/// Reads a `.hermez.yaml`: at most 64 KiB, unknown fields refused with the nearest known one.
pub fn parse_hermez_yaml(bytes: &[u8]) -> Result<HermezYaml, ConfigProblem> {
    if bytes.len() > MAX_BYTES {
        return Err(problem(
            None,
            format!(
                "the file has {} bytes; the limit is {MAX_BYTES}",
                bytes.len()
            ),
            "Keep only the build settings in it",
        ));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| problem(None, "the file is not UTF-8 text", "Save it as UTF-8"))?;
    if text
        .lines()
        .all(|l| l.trim().is_empty() || l.trim_start().starts_with('#'))
    {
        return Ok(HermezYaml::default());
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 10_000,
            max_aliases: 100,
            max_anchors: 100,
            max_nodes: 5_000,
            max_depth: 20,
        },
        with_snippet: false,
    };
    let file: RawFile =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| from_yaml(&error))?;
    let images = file.build.map(|build| build.images).unwrap_or_default();
    if images.len() > MAX_IMAGES {
        return Err(problem(
            Some("build.images".to_owned()),
            format!("{} images; the limit is {MAX_IMAGES}", images.len()),
            "Build images that belong together as stages of one Dockerfile",
        ));
    }
    let mut checked: Vec<ImageConfig> = Vec::with_capacity(images.len());
    for (index, image) in images.into_iter().enumerate() {
        let image = check(index, image)?;
        if checked.iter().any(|other| other.name == image.name) {
            return Err(problem(
                Some(format!("build.images[{index}].name")),
                format!("there are two images named `{}`", image.name),
                "Give each image a name of its own",
            ));
        }
        checked.push(image);
    }
    Ok(HermezYaml { images: checked })
}

fn check(index: usize, raw: RawImage) -> Result<ImageConfig, ConfigProblem> {
    let field = |name: &str| Some(format!("build.images[{index}].{name}"));
    if !is_image_name(&raw.name) {
        return Err(problem(
            field("name"),
            format!("`{}` cannot be the name of an image", shorten(&raw.name)),
            "Use lower-case letters, digits, `.`, `_`, `-` and `/`, such as `web` or `team/web`, without a tag",
        ));
    }
    let path = |name: &str, value: Option<String>| {
        value
            .map(|path| {
                clean_path(&path).ok_or_else(|| {
                    problem(
                        field(name),
                        format!("`{}` is not a path inside the repository", shorten(&path)),
                        "Write it from the repository's root, without a leading / and without ..; the root itself is `.`",
                    )
                })
            })
            .transpose()
    };
    let dockerfile = path("dockerfile", raw.dockerfile)?;
    let context = path("context", raw.context)?;
    if let Some(target) = &raw.target
        && !is_word(target)
    {
        return Err(problem(
            field("target"),
            format!("`{}` cannot be the name of a stage", shorten(target)),
            "Use the name behind AS in the Dockerfile",
        ));
    }
    check_args(&raw.args, &field)?;
    let timeout_ms = raw
        .timeout
        .map(|text| {
            duration_ms(&text)
                .filter(|ms| (1000..=MAX_TIMEOUT_MS).contains(ms))
                .ok_or_else(|| {
                    problem(
                        field("timeout"),
                        format!("`{}` is not a time limit between 1s and 4h", shorten(&text)),
                        "Write it such as `90s`, `20m` or `1h30m`",
                    )
                })
        })
        .transpose()?;
    Ok(ImageConfig {
        name: raw.name,
        dockerfile,
        context,
        target: raw.target,
        args: raw.args,
        timeout_ms,
    })
}

fn check_args(
    args: &BTreeMap<String, String>,
    field: &impl Fn(&str) -> Option<String>,
) -> Result<(), ConfigProblem> {
    if args.len() > MAX_ARGS {
        return Err(problem(
            field("args"),
            format!("{} build arguments; the limit is {MAX_ARGS}", args.len()),
            "Put values that belong together into a file of the repository",
        ));
    }
    for (name, value) in args {
        let is_name = !name.is_empty()
            && name.len() <= 100
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        // BuildKit takes these as orders to itself, such as which frontend to run.
        if !is_name || name.starts_with("BUILDKIT_") {
            return Err(problem(
                field("args"),
                format!("`{}` cannot be the name of a build argument", shorten(name)),
                "Use letters, digits and `_`; names that begin with BUILDKIT_ are BuildKit's own",
            ));
        }
        if value.chars().count() > MAX_ARG_CHARS || value.contains('\0') {
            return Err(problem(
                field(&format!("args.{name}")),
                format!("the value is longer than {MAX_ARG_CHARS} characters"),
                "Put it into a file of the repository and COPY that",
            ));
        }
    }
    Ok(())
}

/// Turns the parser's error into a sentence with a place and a way out.
fn from_yaml(error: &serde_saphyr::Error) -> ConfigProblem {
    use serde_saphyr::Error as E;
    let inner = error.without_snippet();
    let (message, hint) = match inner {
        E::SerdeUnknownField {
            field, expected, ..
        } => {
            let near = expected
                .iter()
                .map(|name| (strsim::jaro_winkler(field, name), *name))
                .filter(|(score, _)| *score > 0.75)
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let hint = match near {
                Some((_, name)) => format!("Did you mean `{name}`?"),
                None => format!("Known here: {}", expected.join(", ")),
            };
            (format!("unknown field `{}`", shorten(field)), hint)
        }
        E::SerdeMissingField { field, .. } => (
            format!("the field `{field}` is missing"),
            format!("Add `{field}:`"),
        ),
        E::MultipleDocuments { .. } => (
            "there is more than one YAML document".to_owned(),
            "Keep one document, without `---` between".to_owned(),
        ),
        other => (
            shorten(&other.to_string()),
            "See the example in Hermez's documentation: build: {images: [{name: web}]}".to_owned(),
        ),
    };
    let place = error.location();
    ConfigProblem {
        message,
        line: place.map(|p| p.line() as u32).filter(|l| *l > 0),
        column: place.map(|p| p.column() as u32).filter(|c| *c > 0),
        field: None,
        hint: Some(hint),
    }
}

fn problem(
    field: Option<String>,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> ConfigProblem {
    ConfigProblem {
        message: message.into(),
        line: None,
        column: None,
        field,
        hint: Some(hint.into()),
    }
}

/// `90s`, `20m`, `4h` and their sums such as `1h30m`, in milliseconds.
fn duration_ms(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: u64 = rest[..digits].parse().ok()?;
        let unit = match rest.as_bytes()[digits] {
            b'h' => 3_600_000,
            b'm' => 60_000,
            b's' => 1000,
            _ => return None,
        };
        total = total.checked_add(count.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    (total > 0).then_some(total)
}

/// A path from the repository's root without `.`, `..` and double slashes; the root is `.`.
pub(crate) fn clean_path(path: &str) -> Option<String> {
    if path.is_empty()
        || path.len() > 1024
        || path.starts_with('/')
        || path.chars().any(|c| c.is_control() || c == '\\')
    {
        return None;
    }
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.contains(&"..") {
        return None;
    }
    Some(if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    })
}

/// Names that a registry takes as (the end of) a repository's name.
pub(crate) fn is_image_name(name: &str) -> bool {
    name.len() <= 128
        && name.split('/').all(|part| {
            let edge =
                |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            edge(part.chars().next())
                && edge(part.chars().next_back())
                && part.chars().all(|c| {
                    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-')
                })
                && !part.contains("..")
                && !part.contains("___")
                && !part.contains("._")
                && !part.contains("_.")
                && !part.contains("-_")
                && !part.contains("_-")
                && !part.contains("-.")
                && !part.contains(".-")
        })
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 100
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// Makes hostile text fit for an error message.
pub(crate) fn shorten(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(200)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(200).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
