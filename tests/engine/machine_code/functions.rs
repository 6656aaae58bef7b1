//! The functions of an executable, disassembled.

use std::{collections::HashMap, fs, path::Path};

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Formatter, Instruction, InstructionInfoFactory, IntelFormatter,
    Mnemonic, OpAccess, OpKind, Register,
};
use object::{File, Object, ObjectSection, ObjectSymbol, ObjectSymbolTable, RelocationTarget, SymbolKind};

/// A function of the executable.
pub(crate) struct Function {
    /// Its path, without the hash.
    pub name: String,
    pub instructions: Vec<Instruction>,
    /// Where each instruction may go on within the function, as indices.
    pub next: Vec<Vec<usize>>,
    /// Calls, and the functions that they lead to.
    pub calls: Vec<(usize, String)>,
}

/// The functions whose path (without the hash) `wanted` accepts.
pub(crate) fn functions(path: &Path, wanted: impl Fn(&str) -> bool) -> Vec<Function> {
    let bytes = fs::read(path).expect("the executable can be read");
    let image = Image::new(File::parse(&*bytes).expect("the executable is an object file"));
    let mut found = Vec::new();
    for symbol in image.file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
    {
        let name = &image.names[&symbol.address()];
        if wanted(name) {
            let code = image.data(symbol.address(), symbol.size()).expect("functions have code");
            found.push(Function::new(name, symbol.address(), code, &image));
        }
    }
    // A function may have several names.
    found.sort_by_key(|function| function.address());
    found.dedup_by_key(|function| function.address());
    found
}

/// What lies around functions.
trait Around {
    /// Where the jump after `before` may go through its table, and nonsense after that.
    fn table(&self, before: &[Instruction]) -> Vec<u64>;
    /// The function at an address.
    fn at(&self, address: u64) -> Option<&str>;
    /// The function whose address is found at an address.
    fn pointed_at(&self, address: u64) -> Option<&str>;
}

struct Image<'a> {
    file: File<'a>,
    names: HashMap<u64, String>,
    /// Pointers to functions.
    pointers: HashMap<u64, String>,
}

impl<'a> Image<'a> {
    fn new(file: File<'a>) -> Self {
        let demangled = |name: &str| format!("{:#}", rustc_demangle::demangle(name));
        let names: HashMap<u64, String> = file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text)
            .map(|symbol| (symbol.address(), demangled(symbol.name().expect("symbols have names"))))
            .collect();
        let imported = |index| {
            let symbol = file.dynamic_symbol_table()?.symbol_by_index(index).ok()?;
            symbol.name().ok().map(demangled)
        };
        let pointers = file
            .dynamic_relocations()
            .into_iter()
            .flatten()
            .filter_map(|(at, relocation)| match relocation.target() {
                RelocationTarget::Symbol(index) => Some((at, imported(index)?)),
                _ => Some((at, names.get(&(relocation.addend() as u64))?.clone())),
            })
            .collect();
        Image { names, pointers, file }
    }

    /// The bytes at an address.
    fn data(&self, address: u64, size: u64) -> Option<&'a [u8]> {
        self.file.sections().find_map(|section| section.data_range(address, size).ok().flatten())
    }
}

impl Around for Image<'_> {
    /// The compiler's tables hold distances from the table's own address, which is the last that was loaded before the jump.
    fn table(&self, before: &[Instruction]) -> Vec<u64> {
        let is_load = |i: &&Instruction| i.mnemonic() == Mnemonic::Lea && i.is_ip_rel_memory_operand();
        let Some(load) = before.iter().rev().find(is_load) else { return Vec::new() };
        let table = load.ip_rel_memory_address();
        (0..256)
            .map_while(|entry| {
                let distance = self.data(table + 4 * entry, 4)?.try_into().expect("four bytes");
                Some(table.wrapping_add_signed(i64::from(i32::from_le_bytes(distance))))
            })
            .collect()
    }

    fn at(&self, address: u64) -> Option<&str> {
        self.names.get(&address).map(String::as_str)
    }

    fn pointed_at(&self, address: u64) -> Option<&str> {
        self.pointers.get(&address).map(String::as_str)
    }
}

/// Nothing.
impl Around for () {
    fn table(&self, _: &[Instruction]) -> Vec<u64> {
        Vec::new()
    }

    fn at(&self, _: u64) -> Option<&str> {
        None
    }

    fn pointed_at(&self, _: u64) -> Option<&str> {
        None
    }
}

impl Function {
    /// Code that stands alone.
    pub(crate) fn of_code(name: &str, code: &[u8]) -> Function {
        Function::new(name, 0, code, &())
    }

    fn new(name: &str, address: u64, code: &[u8], around: &impl Around) -> Function {
        let instructions: Vec<Instruction> =
            Decoder::with_ip(64, code, address, DecoderOptions::NONE).into_iter().collect();
        let index = |to: u64| instructions.binary_search_by_key(&to, |instruction| instruction.ip()).ok();
        let (mut next, mut calls) = (Vec::new(), Vec::new());
        for (i, instruction) in instructions.iter().enumerate() {
            assert!(!instruction.is_invalid(), "{name}: no instruction at {:#x}", instruction.ip());
            let after = (i + 1 < instructions.len()).then_some(i + 1);
            let branch = || index(instruction.near_branch_target());
            next.push(match instruction.flow_control() {
                FlowControl::Return | FlowControl::Exception => Vec::new(),
                FlowControl::UnconditionalBranch => {
                    if branch().is_none() {
                        calls.push((i, called(&instructions, instruction, around)));
                    }
                    branch().into_iter().collect()
                }
                FlowControl::ConditionalBranch => branch().into_iter().chain(after).collect(),
                FlowControl::IndirectBranch if instruction.is_ip_rel_memory_operand() => {
                    calls.push((i, called(&instructions, instruction, around)));
                    Vec::new()
                }
                FlowControl::IndirectBranch => {
                    let to: Vec<usize> =
                        around.table(&instructions[..i]).into_iter().map_while(index).collect();
                    assert!(!to.is_empty(), "{name}: where does {:#x} go?", instruction.ip());
                    to
                }
                FlowControl::Call | FlowControl::IndirectCall => {
                    calls.push((i, called(&instructions, instruction, around)));
                    after.into_iter().collect()
                }
                _ => after.into_iter().collect(),
            });
        }
        Function { name: name.to_owned(), instructions, next, calls }
    }

    pub(crate) fn address(&self) -> u64 {
        self.instructions[0].ip()
    }

    /// Instructions as text, one a line.
    pub(crate) fn text(&self, of: impl IntoIterator<Item = usize>) -> String {
        let mut text = String::new();
        let mut formatter = IntelFormatter::new();
        for i in of {
            text.push_str(&format!("    {:x}  ", self.instructions[i].ip()));
            formatter.format(&self.instructions[i], &mut text);
            text.push('\n');
        }
        text
    }
}

/// The function that a call, or a jump out of the function, leads to.
fn called(instructions: &[Instruction], call: &Instruction, around: &impl Around) -> String {
    let of_pointer = |i: &Instruction| around.pointed_at(i.ip_rel_memory_address());
    let name = if call.is_ip_rel_memory_operand() {
        of_pointer(call)
    } else if call.op0_kind() == OpKind::Register {
        // A pointer that was loaded before, to this register or to one that it was copied from.
        let loads = |i: &&Instruction| i.mnemonic() == Mnemonic::Mov && i.is_ip_rel_memory_operand();
        let to_register = |i: &&Instruction| i.op0_register() == call.op0_register();
        let before = || instructions.iter().filter(|i| i.ip() < call.ip()).rev().filter(loads);
        before().filter(to_register).chain(before()).find_map(of_pointer)
    } else {
        around.at(call.near_branch_target())
    };
    name.unwrap_or("an unknown function").to_owned()
}

/// What an instruction adds up or multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arithmetic {
    pub multiplies: bool,
    pub adds: bool,
    /// Bytes of a number.
    pub number: usize,
    /// Bytes of the numbers that it takes at a time.
    pub width: usize,
}

/// Sums, products and both in one; none of other instructions.
pub(crate) fn arithmetic(instruction: &Instruction) -> Option<Arithmetic> {
    let name = format!("{:?}", instruction.mnemonic()).to_lowercase();
    let name = name.strip_prefix('v').unwrap_or(&name);
    let (stem, kind) = name.split_at_checked(name.len().checked_sub(2)?)?;
    let [multiplies, adds] = match stem.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "fmadd" | "fmsub" | "fnmadd" | "fnmsub" => [true, true],
        "mul" => [true, false],
        "add" | "sub" => [false, true],
        _ => return None,
    };
    let (number, packed) = match kind {
        "ss" => (4, false),
        "sd" => (8, false),
        "ps" => (4, true),
        "pd" => (8, true),
        _ => return None,
    };
    let width = if packed { instruction.op0_register().size() } else { number };
    Some(Arithmetic { multiplies, adds, number, width })
}

/// Whether the instruction writes a vector, or a number of one, to memory.
pub(crate) fn stores_vector(instruction: &Instruction) -> bool {
    let mut factory = InstructionInfoFactory::new();
    let writes = factory.info(instruction).used_memory().iter().any(|memory| {
        matches!(
            memory.access(),
            OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        )
    });
    writes && registers(instruction).any(|register| register.is_vector_register())
}

/// Whether what instruction `store` of a loop stores was added up: it comes from a sum, perhaps by way of other registers.
pub(crate) fn stored_sum(instructions: &[Instruction], nodes: &[usize], store: usize) -> bool {
    let Some(mut register) = registers(&instructions[store]).find(|register| register.is_vector_register())
    else {
        return false;
    };
    let at = nodes.iter().position(|&node| node == store).expect("the store is in the loop");
    // Once round the loop, backwards.
    for &node in nodes[..at].iter().rev().chain(nodes[at..].iter().rev()) {
        let instruction = &instructions[node];
        let writes = instruction.op0_kind() == OpKind::Register
            && instruction.op0_register().full_register() == register.full_register();
        if writes {
            if arithmetic(instruction).is_some_and(|what| what.adds) {
                return true;
            }
            let is_move = format!("{:?}", instruction.mnemonic()).contains("Mov");
            if !is_move || instruction.op1_kind() != OpKind::Register || instruction.op_count() != 2 {
                return false;
            }
            register = instruction.op1_register();
        }
    }
    false
}

fn registers(instruction: &Instruction) -> impl Iterator<Item = Register> {
    (0..instruction.op_count())
        .filter(|&i| instruction.op_kind(i) == OpKind::Register)
        .map(|i| instruction.op_register(i))
}
