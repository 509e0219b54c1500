//! Expressions of type EXAMPLE_FILTER: "level>=3" matches messages whose property `level` is a whole number of 3 or more. A message without the property does
//! not match; of one whose value is no number it cannot be said.
mod abi;

use abi::*;
use std::ffi::{c_char, c_void};

const EXPRESSION_TYPE: &str = "EXAMPLE_FILTER";
const LONGEST_EXPRESSION: usize = 1000;

#[used]
#[link_section = ".note.gantry"]
static MANIFEST: Manifest = Manifest::of("org.example.example-filter", "0.1.0", FILTER_ID);

/// One compiled expression.
struct Compiled {
    name: Box<[u8]>,
    column: Str, // of name
    least: i64,
}

/// Columns count bytes from 1.
fn refuse(err: *mut Error, code: i32, at: usize, what: &str) -> i32 {
    if let Some(err) = unsafe { err.as_mut() } {
        let text = format!("{EXPRESSION_TYPE}, column {}: {what}", at + 1);
        let n = text.len().min(err.text.len() - 1);
        *err = Error { code, detail: 0, retry_after_ms: 0, line: 1, column: at as u32 + 1, text: [0; 236] };
        err.text[..n].copy_from_slice(&text.as_bytes()[..n]);
    }
    code
}

fn number(text: &[u8]) -> Option<i64> {
    if text.first() == Some(&b'+') {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn parse(text: &[u8]) -> Result<(&[u8], i64), (usize, &'static str)> {
    let sign = text.windows(2).position(|w| w == b">=").ok_or((text.len(), "expected NAME>=NUMBER, found no >="))?;
    if sign == 0 {
        return Err((0, "expected the name of a property before >="));
    }
    let least = number(&text[sign + 2..]).ok_or((sign + 2, "expected a whole number after >="))?;
    Ok((&text[..sign], least))
}

extern "C" fn expression_types(_: *mut c_void) -> Str {
    Str::of(EXPRESSION_TYPE)
}

/// Called on several shards at once, while a request waits.
extern "C" fn compile(_: *mut c_void, kind: Str, text: Str, out: *mut Program, err: *mut Error) -> i32 {
    let (kind, text) = unsafe { (kind.bytes(), text.bytes()) };
    if kind != EXPRESSION_TYPE.as_bytes() {
        return refuse(err, E_UNSUPPORTED, 0, "not this filter's type");
    }
    if text.len() > LONGEST_EXPRESSION {
        return refuse(err, E_LIMIT, LONGEST_EXPRESSION, "the expression is longer than 1000 bytes");
    }
    let (name, least) = match parse(text) {
        Ok(parsed) => parsed,
        Err((at, what)) => return refuse(err, E_SYNTAX, at, what),
    };
    let mut made = Box::new(Compiled { name: name.into(), column: Str::of(""), least });
    made.column = Str { p: made.name.as_ptr(), n: made.name.len() as u32, pad: 0 };
    let bytes = (std::mem::size_of::<Compiled>() + made.name.len()) as u64;
    let columns: *const Str = &made.column;
    let program = Box::into_raw(made).cast();
    unsafe { *out = Program { size: std::mem::size_of::<Program>() as u32, flags: 0, program, columns, n_columns: 1, reduced: 0, bytes, cost: 2, pad: 0 } };
    OK
}

extern "C" fn program_release(_: *mut c_void, program: *mut c_void) {
    drop(unsafe { Box::from_raw(program.cast::<Compiled>()) });
}

/// Called on several shards at once; never blocks.
extern "C" fn eval(_: *mut c_void, program: *mut c_void, _: u32, batch: *const Batch, matched: *mut u64, undecided: *mut u64) -> i32 {
    let (compiled, batch) = unsafe { (&*program.cast::<Compiled>(), &*batch) };
    for i in 0..batch.n as usize {
        let value = unsafe { (*(*batch.cols).add(i)).bytes() };
        if value.is_empty() {
            continue;
        }
        match number(value) {
            None => unsafe { *undecided |= 1 << i },
            Some(n) if n >= compiled.least => unsafe { *matched |= 1 << i },
            Some(_) => {}
        }
    }
    OK
}

static TABLE: FilterTable = FilterTable { expression_types, compile, program_release, eval };

/// A filter has no state beside its programs.
extern "C" fn create(_: *const c_void, _: *const c_void, this: *mut *mut c_void, _: *mut Error) -> i32 {
    unsafe { *this = std::ptr::addr_of!(TABLE) as *mut c_void };
    OK
}
extern "C" fn start(_: *mut c_void, _: *mut Error) -> i32 {
    OK
}
extern "C" fn stop(_: *mut c_void) {}

const fn c(text: &'static str) -> *const c_char {
    assert!(text.as_bytes()[text.len() - 1] == 0);
    text.as_ptr().cast()
}

static COMPONENT: Shared<Component> = Shared(Component {
    size: std::mem::size_of::<Component>() as u32,
    flags: 0,
    interface_id: c("gantry.filter.draft/1\0"),
    name: c("example_filter\0"),
    doc: c("expressions of type EXAMPLE_FILTER\0"),
    vtable: std::ptr::addr_of!(TABLE).cast(),
    keys: std::ptr::null(),
    n_keys: 0,
    pad: 0,
    create,
    start,
    stop,
    destroy: stop,
    ready: None,
});

static COMPONENTS: Shared<[*const Component; 1]> = Shared([std::ptr::addr_of!(COMPONENT.0)]);

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static gantry_plugin_v1: Shared<Plugin> = Shared(Plugin {
    size: std::mem::size_of::<Plugin>() as u32,
    abi_minor: ABI_MINOR,
    id: c("org.example.example-filter\0"),
    version: c("0.1.0\0"),
    license: c("Apache-2.0\0"),
    homepage: c("\0"),
    components: std::ptr::addr_of!(COMPONENTS.0).cast(),
    n_components: 1,
    flags: 0,
});
