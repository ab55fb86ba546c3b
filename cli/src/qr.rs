//! A QR code in a terminal: two modules in each character, dark on light whatever colours the terminal has.

use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules on each side, which readers need to find the code (ISO/IEC 18004 §5.3.8).
const QUIET: i32 = 4;

/// The lines of a QR code of `text`. Capital letters, digits and a few signs take the least room.
///
/// Light is drawn and dark left out, so that it is right on a dark background; what surrounds it may set colours.
pub(crate) fn lines(text: &str) -> Option<Vec<String>> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let is_light = |x: i32, y: i32| !code.get_module(x, y);
    let end = code.size() + QUIET;
    let rows = (-QUIET..end).step_by(2);
    let line = |y: i32| {
        let character = |x: i32| match (is_light(x, y), y + 1 < end && is_light(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        (-QUIET..end).map(character).collect()
    };
    Some(rows.map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The modules that a camera would see, true for dark.
    fn seen(lines: &[String]) -> Vec<Vec<bool>> {
        let half = |line: &String, upper: bool| -> Vec<bool> {
            let dark = |c: char| if upper { matches!(c, '▄' | ' ') } else { matches!(c, '▀' | ' ') };
            line.chars().map(dark).collect()
        };
        lines.iter().flat_map(|line| [half(line, true), half(line, false)]).collect()
    }

    #[test]
    fn an_id_takes_29_modules_with_a_quiet_zone_of_four_and_fits_a_terminal() {
        let id = landfall_core::PeerId::from_bytes([7; 32]).to_string().to_uppercase();
        let lines = lines(&id).unwrap();
        assert_eq!(lines.len(), 19);
        assert!(lines.iter().all(|line| line.chars().count() == 37));
        let seen = seen(&lines);
        for (y, row) in seen.iter().enumerate().take(37) {
            for (x, dark) in row.iter().enumerate() {
                let outside = x < 4 || y < 4 || x >= 33 || y >= 33;
                assert!(!(outside && *dark), "{x}, {y}");
            }
        }
        // The three finders, which are a dark frame around a dark square.
        for (left, top) in [(4, 4), (26, 4), (4, 26)] {
            for (dx, dy) in [(0, 0), (6, 0), (0, 6), (6, 6), (3, 3)] {
                assert!(seen[top + dy][left + dx]);
            }
            assert!(!seen[top + 1][left + 1]);
        }
    }
}
