//! A component's output, in a file that cannot grow without end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;

/// When a log reaches this size it becomes `NAME.log.1`, and the one before
/// that is dropped.
const LIMIT_BYTES: u64 = 16 * 1024 * 1024;

struct Log {
    path: PathBuf,
    file: File,
    written: u64,
    limit: u64,
}

impl Log {
    fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let written = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            written,
            limit,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.written + bytes.len() as u64 > self.limit {
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
            *self = Self::open(&self.path, self.limit)?;
        }
        self.file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

/// Copies what comes out of the pipe to the log until its other end is closed.
/// A full disk loses output; it does not stop the component.
pub(super) fn collect(path: &Path, mut pipe: PipeReader) -> io::Result<()> {
    let mut log = Log::open(path, LIMIT_BYTES)?;
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || {
            let mut buffer = [0; 16 * 1024];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                let _ = log.write(&buffer[..count]);
            }
        })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_turns_over_at_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let mut log = Log::open(&path, 6).unwrap();
        for part in ["one\n", "two\n", "six\n"] {
            log.write(part.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "six\n");
        assert_eq!(
            fs::read_to_string(dir.path().join("x.log.1")).unwrap(),
            "two\n"
        );
    }
}
