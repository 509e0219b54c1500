//! gantry/abi.h and gantry/draft/filter.h, as far as a filter needs them. The layouts are asserted below; the headers say what every function promises.
#![allow(dead_code)]

use std::ffi::{c_char, c_void};

pub const OK: i32 = 0;
pub const E_UNSUPPORTED: i32 = -2;
pub const E_LIMIT: i32 = -12;
pub const E_SYNTAX: i32 = -20;

pub const ABI_MAJOR: u32 = 1;
pub const ABI_MINOR: u32 = 0;
pub const FILTER_ID: &str = "gantry.filter.draft/1";

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    pub p: *const u8,
    pub n: u32,
    pub pad: u32,
}

impl Str {
    pub const fn of(text: &'static str) -> Str {
        Str { p: text.as_ptr(), n: text.len() as u32, pad: 0 }
    }
    /// # Safety
    /// What it points to must live as long as the slice is used.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.n == 0 {
            &[]
        } else {
            std::slice::from_raw_parts(self.p, self.n as usize)
        }
    }
}

#[repr(C)]
pub struct Error {
    pub code: i32,
    pub detail: i32,
    pub retry_after_ms: u32,
    pub line: u32,
    pub column: u32,
    pub text: [u8; 236],
}

#[repr(C)]
pub struct Program {
    pub size: u32,
    pub flags: u32,
    pub program: *mut c_void,
    pub columns: *const Str,
    pub n_columns: u32,
    pub reduced: u32,
    pub bytes: u64,
    pub cost: u32,
    pub pad: u32,
}

#[repr(C)]
pub struct Batch {
    pub size: u32,
    pub n: u32,
    pub n_columns: u32,
    pub flags: u32,
    pub cols: *const *const Str,
    pub props: *const Str,
    pub body: *const Str,
    pub err: *mut Error,
}

#[repr(C)]
pub struct FilterTable {
    pub expression_types: extern "C" fn(*mut c_void) -> Str,
    pub compile: extern "C" fn(*mut c_void, Str, Str, *mut Program, *mut Error) -> i32,
    pub program_release: extern "C" fn(*mut c_void, *mut c_void),
    pub eval: extern "C" fn(*mut c_void, *mut c_void, u32, *const Batch, *mut u64, *mut u64) -> i32,
}

#[repr(C)]
pub struct Component {
    pub size: u32,
    pub flags: u32,
    pub interface_id: *const c_char,
    pub name: *const c_char,
    pub doc: *const c_char,
    pub vtable: *const c_void,
    pub keys: *const c_void,
    pub n_keys: u32,
    pub pad: u32,
    pub create: extern "C" fn(*const c_void, *const c_void, *mut *mut c_void, *mut Error) -> i32,
    pub start: extern "C" fn(*mut c_void, *mut Error) -> i32,
    pub stop: extern "C" fn(*mut c_void),
    pub destroy: extern "C" fn(*mut c_void),
    pub ready: Option<extern "C" fn(*mut c_void) -> i32>,
}

#[repr(C)]
pub struct Plugin {
    pub size: u32,
    pub abi_minor: u32,
    pub id: *const c_char,
    pub version: *const c_char,
    pub license: *const c_char,
    pub homepage: *const c_char,
    pub components: *const *const Component,
    pub n_components: u32,
    pub flags: u32,
}

/// Constants that hold pointers to constants.
#[repr(transparent)]
pub struct Shared<T>(pub T);
unsafe impl<T> Sync for Shared<T> {}

#[repr(C, align(4))]
pub struct Manifest {
    pub name_bytes: u32,
    pub desc_bytes: u32,
    pub kind: u32,
    pub name: [u8; 8],
    pub abi_major: u32,
    pub abi_minor: u32,
    pub size: u32,
    pub flags: u32,
    pub id: [u8; 64],
    pub version: [u8; 24],
    pub sdk_version: [u8; 24],
    pub interfaces: [u8; 160],
}

/// Text in an array of zeros; one that does not fit fails to compile.
pub const fn padded<const N: usize>(text: &str) -> [u8; N] {
    let bytes = text.as_bytes();
    assert!(bytes.len() < N);
    let mut out = [0; N];
    let mut i = 0;
    while i < bytes.len() {
        out[i] = bytes[i];
        i += 1;
    }
    out
}

impl Manifest {
    pub const fn of(id: &str, version: &str, interfaces: &str) -> Manifest {
        Manifest {
            name_bytes: 8,
            desc_bytes: 288,
            kind: 1,
            name: padded("Gantry"),
            abi_major: ABI_MAJOR,
            abi_minor: ABI_MINOR,
            size: 288,
            flags: 0,
            id: padded(id),
            version: padded(version),
            sdk_version: padded("0.1.0"),
            interfaces: padded(interfaces),
        }
    }
}

const _: () = {
    assert!(std::mem::size_of::<Str>() == 16);
    assert!(std::mem::size_of::<Error>() == 256);
    assert!(std::mem::size_of::<Program>() == 48);
    assert!(std::mem::size_of::<Batch>() == 48);
    assert!(std::mem::size_of::<Component>() == 96);
    assert!(std::mem::size_of::<Plugin>() == 56);
    assert!(std::mem::size_of::<Manifest>() == 308);
};
