//! `hermez check` and `hermez render`: config files, with no server and no cluster.

use std::io::Read;
use std::path::{Path, PathBuf};

use hermez_kinds::{Config, ConfigError, RuntimeProfile};
use miette::{GraphicalReportHandler, GraphicalTheme};

use crate::error::{CliError, place_text};
use crate::print::{self, Format};

/// Most bytes of a file that are read; more than a config file may have, so that the parser is the
/// one to say so.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The config file; `-` is standard input
    file: PathBuf,
}

/// Arguments of `render`.
#[derive(Debug, clap::Args)]
pub struct RenderArgs {
    /// The config file; `-` is standard input
    file: PathBuf,
    /// Runtime profile to inject [default: the built-in `plain`]
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
}

/// Runs `check`.
pub fn check(args: &CheckArgs, format: Format) -> Result<(), CliError> {
    let config = parse(&args.file)?;
    if format == Format::Json {
        return print::json(&serde_json::json!({
            "name": config.name,
            "workload_type": config.kind(),
            "project": config.project,
            "namespace": config.namespace,
            "port": config.port(),
            "replicas": config.replicas(),
        }));
    }
    print::line(&format!(
        "{} is right: {} {} of project {}, in namespace {}.",
        args.file.display(),
        config.kind(),
        config.name,
        config.project,
        config.namespace
    ))
}

/// Runs `render`.
pub fn render(args: &RenderArgs, format: Format) -> Result<(), CliError> {
    let config = parse(&args.file)?;
    let profile = match &args.profile {
        None => RuntimeProfile::plain(),
        Some(path) => RuntimeProfile::parse(&path.display().to_string(), &read(path)?)
            .map_err(|error| wrong(&error))?,
    };
    let objects = config
        .resource
        .translate(&profile)
        .map_err(|error| CliError::Failed {
            message: format!("{}: {error}", args.file.display()),
            hint: None,
        })?;
    if format == Format::Json {
        return print::json(&objects);
    }
    let mut text = String::new();
    for object in &objects {
        let yaml = serde_saphyr::to_string(object).map_err(|error| CliError::Failed {
            message: format!("the objects cannot be written as YAML: {error}"),
            hint: None,
        })?;
        text.push_str("---\n");
        text.push_str(&yaml);
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    print::raw(&text)
}

fn parse(path: &Path) -> Result<Config, CliError> {
    let name = path.display().to_string();
    hermez_kinds::config::parse(&name, &read(path)?).map_err(|error| wrong(&error))
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(FILE_BYTES_MAX)
            .read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
    };
    read.map(|_| bytes).map_err(|error| CliError::File {
        path: path.to_owned(),
        reason: format!("cannot be read: {error}"),
        hint: None,
    })
}

/// The error drawn over the file, with `file:line:column` first, as editors understand it.
fn wrong(error: &ConfigError) -> CliError {
    let places = error.places();
    let theme = match (
        console::user_attended_stderr(),
        console::colors_enabled_stderr(),
    ) {
        (true, true) => GraphicalTheme::unicode(),
        (true, false) => GraphicalTheme::unicode_nocolor(),
        (false, _) => GraphicalTheme::none(),
    };
    let mut drawing = String::new();
    for place in &places {
        drawing.push_str(&print::printable(&place_text(place)));
        drawing.push('\n');
    }
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false);
    let mut report = String::new();
    if handler.render_report(&mut report, error).is_err() {
        report = format!("error: {error}\n");
    }
    drawing.push_str(&report);
    CliError::Config {
        summary: error.to_string(),
        drawing,
        places,
    }
}
