//! Counts what each thread holds, so that a test can say how much a reader took.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

struct Counting;

thread_local! {
    /// Bytes that this thread allocated less those that it freed, and the most of them since [`most_during`] began.
    static HELD: [Cell<isize>; 2] = const { [Cell::new(0), Cell::new(0)] };
}

fn count(bytes: isize) {
    // A thread that ends has none.
    let _ = HELD.try_with(|[held, most]| {
        held.set(held.get() + bytes);
        most.set(most.get().max(held.get()));
    });
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `body` returns, and the most bytes that this thread held for it at a time.
pub(crate) fn most_during<T>(body: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.with(|[held, most]| {
        most.set(held.get());
        held.get()
    });
    let found = body();
    (found, HELD.with(|[_, most]| (most.get() - before).max(0) as usize))
}

#[test]
fn what_was_freed_again_counts_as_long_as_it_was_held() {
    let (len, most) = most_during(|| {
        let first = vec![1u8; 1 << 20];
        drop(vec![1u8; 3 << 20]);
        first.len() + vec![0u8; 1 << 19].len()
    });
    assert_eq!(len, 3 << 19);
    assert!((4 << 20..5 << 20).contains(&most), "{most}");
}
