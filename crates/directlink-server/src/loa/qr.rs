//! A QR code (ISO/IEC 18004) as one filled path: dark squares on white paper.

use krilla::{
    geom::{PathBuilder, Rect},
    surface::Surface,
};
use qrcodegen::QrCode;

/// `size` points wide, with its upper left corner at `left`, `top`. The page is its quiet zone.
pub(super) fn draw(surface: &mut Surface<'_>, code: &QrCode, (left, top): (f32, f32), size: f32) {
    let modules = code.size();
    let mut path = PathBuilder::new();
    for y in 0..modules {
        for x in (0..modules).filter(|x| code.get_module(*x, y)) {
            // A module's number is small: no float loses it.
            let at = |n: i32| n as f32 * size / modules as f32;
            let square =
                Rect::from_ltrb(left + at(x), top + at(y), left + at(x + 1), top + at(y + 1));
            if let Some(square) = square {
                path.push_rect(square);
            }
        }
    }
    if let Some(path) = path.finish() {
        surface.draw_path(&path);
    }
}
