//! A thread's area of pending events, as the thread that fills it sees it. See [`heaphint_format::PendingEvent`].

use core::mem::offset_of;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU64, Ordering};

use heaphint_format::{AREA_EVENTS, Area, Change, HEAP_BYTES_STEP, PendingEvent, Sampling};

use crate::capture::{CaptureFile, SharedWord, header_word};
use crate::{crash_points, order};

/// The right to write into an area.
pub struct OwnArea {
    /// Null without one.
    at: *mut Area,
    /// Index in the capture.
    pub number: u32,
    /// Events written so far, by all threads that had it.
    written: u64,
    /// Below which number events may be written, as of the last look.
    room: u64,
    /// Of the last event.
    stamp: u64,
    /// What of the live bytes the header does not have yet.
    unpublished: i64,
    heap_bytes: *mut u64,
}

impl OwnArea {
    /// Has room for nothing.
    pub const NONE: Self = Self {
        at: null_mut(),
        number: 0,
        written: 0,
        room: 0,
        stamp: 0,
        unpublished: 0,
        heap_bytes: null_mut(),
    };

    /// An area of the capture that nobody else has, and whose events have all been applied.
    pub fn new(file: &CaptureFile, number: u32) -> Self {
        let at = file.areas.at(number);
        // SAFETY: the area exists, and only an application changes its state, under the lock that the caller has.
        let state = unsafe { (*at).state };
        Self {
            at,
            number,
            written: state.applied,
            room: state.applied + AREA_EVENTS as u64,
            stamp: state.stamp,
            unpublished: 0,
            heap_bytes: header_word!(file, heap_bytes).pointer(),
        }
    }

    pub const fn exists(&self) -> bool {
        !self.at.is_null()
    }

    /// The event has happened; `sampling` says what its bytes stand for. `false` when there is no room for it: then the recorder has to apply events first.
    #[inline(always)]
    #[must_use]
    pub fn append(
        &mut self,
        site: u32,
        address: usize,
        number: u64,
        change: Change,
        sampling: Sampling,
    ) -> bool {
        if self.written == self.room && !self.has_room() {
            return false;
        }
        let stamp = order::stamp(self.number, self.stamp);
        crash_points::log_event(self.number, stamp, site, address, change);
        let event = PendingEvent::new(stamp, site, address, number, change);
        let place = self.written as usize % AREA_EVENTS * size_of::<PendingEvent>();
        let word = |offset: usize| {
            let offset = offset_of!(Area, events) + place + offset;
            SharedWord::new(self.at.cast::<u8>().wrapping_add(offset).cast())
        };
        word(offset_of!(PendingEvent, bytes)).store(event.bytes);
        word(offset_of!(PendingEvent, what)).store(event.what);
        word(offset_of!(PendingEvent, address)).store(event.address);
        word(offset_of!(PendingEvent, stamp)).store(event.stamp);
        self.written += 1;
        self.stamp = stamp;
        let delta = match change {
            Change::Allocated { bytes } => sampling.weigh(bytes, None).bytes as i64,
            Change::Freed { bytes, .. } => (sampling.weigh(bytes, None).bytes as i64).wrapping_neg(),
        };
        self.unpublished = self.unpublished.wrapping_add(delta);
        if self.unpublished.unsigned_abs() >= HEAP_BYTES_STEP {
            self.publish_heap_bytes();
        }
        true
    }

    /// Whether events have been applied since the last look.
    #[cold]
    fn has_room(&mut self) -> bool {
        if self.at.is_null() {
            return false;
        }
        let word = self.at.cast::<u8>().wrapping_add(offset_of!(Area, room)).cast::<u64>();
        // SAFETY: the area is mapped as long as recording.
        self.room = self.room.max(unsafe { AtomicU64::from_ptr(word) }.load(Ordering::Acquire));
        self.written < self.room
    }

    /// Brings [`heaphint_format::Header::heap_bytes`] up to date.
    #[inline(never)]
    pub fn publish_heap_bytes(&mut self) {
        if self.exists() {
            let bytes = core::mem::take(&mut self.unpublished) as u64;
            // SAFETY: the header is mapped as long as recording.
            unsafe { AtomicU64::from_ptr(self.heap_bytes) }.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}
