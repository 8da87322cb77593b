//! The timeline goes on while the program does not allocate, and agrees with the other figures.

use crate::support::interpreter::Interpreter;
use crate::support::playground::Playground;

#[test]
fn quiet_stretches_have_samples() {
    let playground = Playground::new();
    let (outcome, recorded) = playground.run_traced(&Interpreter::default(), "quiet.py", "");
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    let capture = heaphint_record::read_capture(&recorded.main).expect("the capture is readable");
    let timeline = &capture.timeline;
    assert!(timeline.is_sorted_by_key(|sample| sample.elapsed_ms));
    // The program holds this for as long as it sleeps, and allocates nothing meanwhile.
    let held = 20_000_001;
    let quiet: Vec<_> = timeline.iter().filter(|sample| sample.heap_bytes >= held).collect();
    assert!(quiet.len() >= 20, "{} samples in half a second: {timeline:?}", quiet.len());
    // The first ones may be from before the block was filled.
    assert!(quiet.iter().rev().take(10).all(|sample| sample.rss_bytes >= held), "{quiet:?}");
    let highest = timeline.iter().map(|sample| sample.heap_bytes).max();
    assert!(highest <= Some(capture.header.peak_bytes), "no sample is above the peak");
}
