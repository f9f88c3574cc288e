//! Config files and profiles as nobody should write them: none may panic, none may take long.
//!
//! Inputs are what a good file becomes by random edits, of its bytes and of its lines. The number
//! of inputs can be raised by `HERMEZ_HOSTILE_INPUTS`; `cargo +nightly fuzz run config` (see `fuzz/`)
//! tries without end, led by what the inputs reach.

#[path = "support/input.rs"]
mod input;
#[path = "support/specs.rs"]
mod specs;

use std::time::Duration;

use hermez_kinds::Kind;
use input::{LIMIT, Outcome, prepare, read_everything};

/// Inputs that are tried, unless the environment says otherwise.
const INPUTS: usize = 1_000;

/// Pieces that have hurt parsers before.
const PIECES: &[&str] = &[
    "&a [*a, *a]",
    "&a",
    "*a",
    "<<: *a",
    "? ",
    "!!binary ",
    "!!str",
    "- ",
    "---\n",
    "...\n",
    "\t",
    "\r",
    "\u{0}",
    "\u{feff}",
    "\u{2028}",
    "{",
    "}",
    "[[[[[[[[",
    "\"",
    "'",
    "|\n",
    ">-\n",
    "#",
    ": ",
    "%TAG ! x\n",
    "9999999999999999999999",
    "-0",
    "0x7f",
    "1e999",
    ".nan",
    ".inf",
    "null",
    "~",
    "yes",
    "{{name}}",
    "{{",
    "}}",
];

struct Maker {
    /// State of SplitMix64: the same inputs in every run.
    state: u64,
    seeds: Vec<Vec<u8>>,
}

impl Maker {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// A good file after a few bad edits.
    fn make(&mut self) -> Vec<u8> {
        let which = self.below(self.seeds.len());
        let mut bytes = self.seeds[which].clone();
        for _ in 0..=self.below(6) {
            self.edit(&mut bytes);
        }
        bytes
    }

    fn edit(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        match self.below(8) {
            0 => bytes.insert(at, self.next() as u8),
            1 => bytes.truncate(at),
            2 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            3 | 4 => {
                let piece = PIECES[self.below(PIECES.len())];
                bytes.splice(at..at, piece.bytes());
            }
            5 => {
                // A line goes, or stands twice, elsewhere or deeper.
                let mut lines: Vec<Vec<u8>> =
                    bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
                let (from, to) = (self.below(lines.len()), self.below(lines.len()));
                let mut line = lines[from].clone();
                match self.below(3) {
                    0 => drop(lines.remove(from)),
                    1 => lines.insert(to, line),
                    _ => {
                        line.splice(0..0, b"    ".iter().copied());
                        lines[from] = line;
                    }
                }
                *bytes = lines.join(&b'\n');
            }
            6 => {
                let other = self.below(self.seeds.len());
                let other = &self.seeds[other];
                let from = at.min(other.len());
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                let (piece, times) = (PIECES[self.below(PIECES.len())], self.below(2_000));
                bytes.splice(at..at, piece.repeat(times).bytes());
            }
        }
    }
}

#[test]
fn no_input_panics_or_takes_long() {
    let mut seeds: Vec<Vec<u8>> = vec![include_bytes!("../profiles/pinterest.yaml").to_vec()];
    for kind in Kind::ALL.iter().copied() {
        let made = specs::valid(kind, 8, 3).into_iter();
        seeds.extend(made.map(|config| config.to_manifest_yaml().into_bytes()));
    }
    let inputs = std::env::var("HERMEZ_HOSTILE_INPUTS")
        .ok()
        .and_then(|count| count.parse().ok());
    let inputs = inputs.unwrap_or(INPUTS);
    prepare();
    let mut maker = Maker { state: 1, seeds };
    let (mut accepted, mut longest) = (0, Duration::ZERO);
    for input in 0..inputs {
        let bytes = maker.make();
        let Outcome { is_accepted, took } = read_everything(&bytes);
        accepted += usize::from(is_accepted);
        longest = longest.max(took);
        assert!(
            took <= LIMIT,
            "input {input} ({} bytes) took {took:?}:\n{}",
            bytes.len(),
            String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)])
        );
    }
    println!("{inputs} inputs, {accepted} accepted, the longest took {longest:?}");
    assert!(
        accepted > 0,
        "every input was refused at once: that tries next to nothing"
    );
}
