//! What each code means, in one sentence. `server/docs/limits.md` has a section for each.

/// Every code that a finding or a problem can have.
pub const CODES: [&str; 12] = [
    "peak-limit",
    "rss-limit",
    "function-limit",
    "line-limit",
    "leak-limit",
    "import-limit",
    "allocations-limit",
    "growth-limit",
    "wrong-limit",
    "unused-limit",
    "no-accepted-run",
    "unread-limit",
];

/// What a code means, for somebody who meets it for the first time. Empty for a text that is no code.
#[must_use]
pub fn explanation(code: &str) -> &'static str {
    match code {
        "peak-limit" => "The program held more memory at its peak than is allowed.",
        "rss-limit" => "The program's resident memory, as the kernel counts it, was larger than is allowed.",
        "function-limit" => "A function and what it called held more memory at one moment than is allowed.",
        "line-limit" => "A line and what it called held more memory at one moment than is allowed.",
        "leak-limit" => "A line had allocated more memory that was still held at the end than is allowed.",
        "import-limit" => "Importing a module, with all that it imports, held more memory than is allowed.",
        "allocations-limit" => "More allocations were made than is allowed.",
        "growth-limit" => "The program, or a function, holds more memory than in the run that was accepted.",
        "wrong-limit" => "A limit cannot be understood, so nothing is compared with it.",
        "unused-limit" => "A limit is about something that does not exist, so it can never be exceeded.",
        "no-accepted-run" => {
            "A limit is about growth, and no run of this command was accepted to compare with."
        }
        "unread-limit" => "A limit is known only while the program runs, so heaphint does not apply it.",
        _ => "",
    }
}
