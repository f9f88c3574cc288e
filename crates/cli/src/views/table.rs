//! Tables: on a narrow screen columns are left out, so that the words of the others stay whole.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::{Page, lines};

/// Columns of the screen that each column of a table has at least, unless its text is shorter.
const LEAST: u16 = 16;
/// Blanks between two columns.
const GAP: u16 = 2;

/// What a column of a table would take.
#[derive(Debug, Clone, Copy)]
struct Needs {
    /// Its longest word.
    word: u16,
    /// Its longest text.
    text: u16,
}

impl Page {
    /// A table without lines, its header in capitals. On a screen that is too narrow for all
    /// columns those that `may_go` are left out, the first of them first.
    pub fn table(&self, header: &[&str], may_go: &[&str], rows: Vec<Vec<String>>) -> String {
        let words = header.iter().enumerate().map(|(at, name)| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            longest_word(std::iter::once(*name).chain(cells.map(String::as_str)))
        });
        let words: Vec<u16> = words.collect();
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(header.iter().map(|name| name.to_uppercase()));
        table.add_rows(rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        if let Some(width) = self.width {
            let texts = table.column_max_content_widths().into_iter();
            let needs = words.into_iter().zip(texts);
            let needs: Vec<Needs> = needs.map(|(word, text)| Needs { word, text }).collect();
            let widths = widths(&needs, header, may_go, width);
            for (column, width) in table.column_iter_mut().zip(widths) {
                let width = width.map(|text| Width::Fixed(text.saturating_add(GAP)));
                let constraint = width.map(ColumnConstraint::Absolute);
                column.set_constraint(constraint.unwrap_or(ColumnConstraint::Hidden));
            }
            table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width);
        } else {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        lines(&table.to_string())
    }
}

fn longest_word<'a>(texts: impl Iterator<Item = &'a str>) -> u16 {
    let words = texts.flat_map(|text| text.split(' '));
    let longest = words.map(|word| word.chars().count()).max().unwrap_or(0);
    u16::try_from(longest).unwrap_or(u16::MAX)
}

/// The width of each column on a screen of this width; none for those that are left out.
fn widths(needs: &[Needs], header: &[&str], may_go: &[&str], width: u16) -> Vec<Option<u16>> {
    let mut shown: Vec<usize> = (0..needs.len()).collect();
    for name in may_go {
        let least = shown.iter().map(|at| needs[*at].text.min(LEAST));
        if least.map(usize::from).sum::<usize>() <= room(width, shown.len()) {
            break;
        }
        shown.retain(|at| header.get(*at) != Some(name));
    }
    let shown_needs: Vec<Needs> = shown.iter().map(|at| needs[*at]).collect();
    let shares = shares(&shown_needs, room(width, shown.len()));
    let mut all = vec![None; needs.len()];
    for (at, share) in shown.iter().zip(shares) {
        all[*at] = Some(share);
    }
    all
}

/// What so many columns have of a screen of this width, without the blanks after them.
fn room(width: u16, columns: usize) -> usize {
    let gaps = columns.saturating_sub(1) * usize::from(GAP);
    usize::from(width).saturating_sub(gaps)
}

/// Widths of columns that share this room: [`LEAST`] or all of the text, and the narrowest get what
/// is left. Where there is no room for that, the widest give way; words break last.
fn shares(needs: &[Needs], room: usize) -> Vec<u16> {
    let sum = |widths: &[u16]| widths.iter().copied().map(usize::from).sum::<usize>();
    let mut widths: Vec<u16> = needs.iter().map(|it| it.text.min(LEAST)).collect();
    while sum(&widths) > room {
        let pairs = widths.iter_mut().zip(needs);
        match pairs.max_by_key(|(width, it)| (**width > it.word, **width)) {
            Some((widest, _)) if *widest > 1 => *widest -= 1,
            _ => break,
        }
    }
    while sum(&widths) < room {
        let pairs = widths.iter_mut().zip(needs);
        let cramped = pairs.filter(|(width, it)| **width < it.text);
        match cramped.map(|(width, _)| width).min() {
            Some(narrowest) => *narrowest += 1,
            None => break,
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::super::tests::page;
    use super::*;

    #[test]
    fn the_narrowest_get_what_is_left_and_the_widest_give_way() {
        let shares = |needs: &[(u16, u16)], room| {
            let needs = needs.iter().map(|&(word, text)| Needs { word, text });
            shares(&needs.collect::<Vec<_>>(), room)
        };
        assert_eq!(shares(&[(3, 3), (7, 7), (9, 9)], 80), [3, 7, 9]);
        assert_eq!(shares(&[(3, 3), (9, 18), (9, 60)], 60), [3, 18, 39]);
        assert_eq!(shares(&[(7, 7), (5, 20), (5, 40)], 27), [7, 10, 10]);
        // A text wraps before a word breaks.
        assert_eq!(shares(&[(12, 12), (4, 11)], 17), [12, 5]);
        assert_eq!(shares(&[(7, 7), (7, 7)], 0), [1, 1]);
        assert!(shares(&[], 10).is_empty());
    }

    #[test]
    fn columns_are_left_out_in_their_order_and_no_more_than_must_be() {
        let table = |width| {
            let page = Page {
                width: Some(width),
                ..page()
            };
            let row = ["12", "95f6178", "a message of four words", "ada"].map(str::to_owned);
            let header = ["deploy", "commit", "message", "by"];
            page.table(&header, &["message", "by"], vec![row.into()])
        };
        let whole = "DEPLOY  COMMIT   MESSAGE                  BY\n\
                     12      95f6178  a message of four words  ada\n";
        assert_eq!(table(80), whole);
        assert_eq!(table(30), "DEPLOY  COMMIT   BY\n12      95f6178  ada\n");
        assert_eq!(table(15), "DEPLOY  COMMIT\n12      95f6178\n");
    }
}
