"""What can be known of GPU kernels without a GPU: static_quality.py TABLE EXAMPLES [--update].

Compiles every kernel that has a row in TABLE (a page of Markdown, which explains its columns) and says
where a figure is worse than the row. With --update the rows get the figures of today: to add a kernel,
write a row with its name, sizes, type and chip. Figures that need ptxas or llvm-mca are skipped without them.
"""
import functools
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PTXAS = shutil.which("ptxas")
MCA = shutil.which("llvm-mca-22") or shutil.which("llvm-mca")


class Chip:
    """What a multiprocessor (AMD: compute unit) holds. Sources: CUDA C++ Programming Guide, "Technical
    specifications per compute capability"; "AMD Instinct MI200" and "MI300" Instruction Set Architecture,
    registers and LDS. On AMD each of a block's four waves has a quarter of the unit, 512 registers per lane."""

    def __init__(self, threads, registers, most_registers, shared, shared_per_block, blocks, mca):
        self.threads, self.registers, self.most_registers = threads, registers, most_registers
        self.shared, self.shared_per_block, self.blocks, self.mca = shared, shared_per_block, blocks, mca

    def resident_blocks(self, registers, shared):
        registers = -(-registers // 8) * 8
        return min(self.registers // (registers * self.threads),
                   self.shared // (shared + self.shared_per_block), self.blocks)

    def register_limit(self, blocks):
        return min(self.registers // (blocks * self.threads) // 8 * 8, self.most_registers)


# Not all of LLVM's models of chips can be used: that of gfx90a never ends.
CHIPS = {
    "sm_80": Chip(128, 65536, 255, 164 << 10, 1 << 10, 16, None),
    "sm_90": Chip(128, 65536, 255, 228 << 10, 1 << 10, 16, None),
    "sm_90a": Chip(128, 65536, 255, 228 << 10, 1 << 10, 16, None),
    "gfx90a": Chip(256, 512 * 256, 512, 64 << 10, 0, 8, None),
    "gfx942": Chip(256, 512 * 256, 512, 64 << 10, 0, 8, "gfx942"),
}


# ---- Code ----

class Code:
    """The instructions of one kernel as basic blocks."""

    def __init__(self, lines):
        self.blocks, self.labels = [[]], {}
        for line in lines:
            line = re.sub(r"(//|;|--).*", "", line).strip() if not line.strip().startswith("$") else line.strip()
            label = re.match(r"([$.]\w*BB\w+):", line)
            if label:
                self.blocks.append([])
                self.labels[label[1]] = len(self.blocks) - 1
            elif re.match(r"(@!?%\w+\s+)?[a-z]", line):
                self.blocks[-1].append(line)
                if self.is_branch(line):
                    self.blocks.append([])

    @staticmethod
    def is_branch(line):
        return re.search(r"\bbra\b|^s_c?branch|^ret\b|^s_endpgm", line) is not None

    def successors(self, number):
        block, following = self.blocks[number], [number + 1] if number + 1 < len(self.blocks) else []
        if not block or not self.is_branch(block[-1]):
            return following
        if re.match(r"ret|s_endpgm", block[-1]):
            return []
        target = [self.labels[re.search(r"[$.]\w*BB\w+", block[-1])[0]]]
        return target + (following if re.match(r"@|s_cbranch", block[-1]) else [])

    @functools.cached_property
    def graph(self):
        """Per block: those that follow, those before it, and those that every way to it goes through."""
        edges = [self.successors(block) for block in range(len(self.blocks))]
        before = [[] for _ in self.blocks]
        for block, targets in enumerate(edges):
            for target in targets:
                before[target].append(block)
        every = set(range(len(self.blocks)))
        dominators = [{0}] + [every] * (len(self.blocks) - 1)
        changed = True
        while changed:
            changed = False
            for block in range(1, len(self.blocks)):
                common = set.intersection(*(dominators[b] for b in before[block])) if before[block] else every
                if common | {block} != dominators[block]:
                    dominators[block], changed = common | {block}, True
        return edges, before, dominators

    def loops(self):
        """The head and the blocks of every natural loop."""
        edges, before, dominators = self.graph
        loops = {}
        for block, targets in enumerate(edges):
            for head in targets:
                # What nothing jumps to has every block as a dominator.
                if head not in dominators[block] or (block and not before[block]):
                    continue
                body = loops.setdefault(head, {head})
                todo = [block]
                while todo:
                    one = todo.pop()
                    if one not in body:
                        body.add(one)
                        todo += before[one]
        return loops.items()

    def round_of(self, head, loop):
        """The instructions of a round: of all ways from the head back to it that go through each block at most
        once, the shortest of those with the most matrix instructions and wide accesses."""
        edges, _, dominators = self.graph
        order, seen = [], set()

        def visit(block):
            seen.add(block)
            for target in edges[block]:
                if target in loop and target not in seen and target not in dominators[block]:
                    visit(target)
            order.append(block)

        visit(head)
        ways = {head: self.blocks[head]}
        for block in reversed(order):
            for target in edges[block]:
                if target in loop and target not in dominators[block]:
                    way = ways[block] + self.blocks[target]
                    ways[target] = max(ways.get(target, way), way, key=rate_round)
        return max((ways[block] for block in order if head in edges[block]), key=rate_round)

    def hot_loop(self):
        """A round of the loop with the most matrix instructions; of two, of the smaller."""
        return max((self.round_of(*loop) for loop in self.loops()), key=rate_round, default=[])

    def all(self):
        return [line for block in self.blocks for line in block]


def count(lines, pattern):
    return sum(1 for line in lines if re.search(pattern, line))


def count_matrix(lines):
    return count(lines, r"\bmma\.sync|^wgmma\.mma_async|^v_w?mfma_|^v_wmma_")


def count_wide(lines):
    """The accesses of global memory that move 16 bytes."""
    return count(lines, r"\bcp\.async\.cg|(ld|st)\.global\S*\.v4\.\w32|(ld|st)\.global\S*\.v2\.\w64"
                        r"|^(global|flat)_(load|store)_(dwordx4|b128)")


def rate_round(lines):
    return count_matrix(lines), count_wide(lines), -len(lines)


def share(part, whole):
    return round(100 * part / whole) if whole else 0


def wide_share(lines):
    return share(count_wide(lines), count(lines, r"\bcp\.async\.c[ag]|\b(ld|st)\.global|^(global|flat)_(load|store)"))


def matrix_busy(lines, cpu):
    """How long the matrix unit works while the loop runs, by LLVM's model of the chip; None: no model."""
    if not MCA or not cpu:
        return None
    body = [line for line in lines if not Code.is_branch(line) and not line.startswith("s_barrier")]
    command = [MCA, "-mtriple=amdgcn", f"-mcpu={cpu}", "--iterations=10", "--instruction-info=false"]
    try:
        report = subprocess.run(command, input="\n".join(body), capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return None
    cycles = re.search(r"Total Cycles:\s+(\d+)", report.stdout)
    unit = re.search(r"\[(\d+)\]\s+- HWXDL", report.stdout)
    pressure = re.search(r"pressure per iteration:\n.*\n(.*)", report.stdout)
    if not (cycles and unit and pressure):
        return None
    busy = pressure[1].split()[int(unit[1])]
    return share(0 if busy == "-" else float(busy) * 10, int(cycles[1]))


# ---- Figures ----

def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(command)}: {result.stderr}")
    return result.stdout + result.stderr


def find_kernels(text):
    """The lines of every kernel of an assembly file."""
    kernels = {}
    for match in re.finditer(r"\.visible \.entry (\w+)\((?:.|\n)*?\n\{\n((?:.|\n)*?)\n\}", text):
        kernels[match[1]] = match[2].splitlines()
    for match in re.finditer(r"\n(\w+):.*\n((?:.|\n)*?)\n\.Lfunc_end", text):
        kernels[match[1]] = match[2].splitlines()
    return kernels


def nvidia_registers(symbol, path, text, chip):
    """Registers and private bytes of a thread; registers are None without ptxas."""
    private = sum(int(size) for size in re.findall(r"__local_depot\d+\[(\d+)\]", text))
    if not PTXAS:
        return None, private
    report = run(PTXAS, "-v", f"-arch={chip}", path, "-o", "/dev/null")
    own = report[report.index(f"'{symbol}'"):]
    stack, stores, loads = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill", own).groups()
    return int(re.search(r"Used (\d+) registers", own)[1]), max(private, int(stack) + int(stores) + int(loads))


def amd_registers(symbol, text):
    own = text[text.index(f".amdhsa_kernel {symbol}\n"):]
    described = text[text.index("amdhsa.kernels:"):]
    described = next(part for part in described.split("\n  - ") if f".name:           {symbol}\n" in part)
    private = int(re.search(r"private_segment_fixed_size (\d+)", own)[1])
    spilled = int(re.search(r"\.vgpr_spill_count: (\d+)", described)[1])
    return int(re.search(r"next_free_vgpr (\d+)", own)[1]), private + spilled


def measure(spec, sizes, dtype, chip):
    """The figures of all kernels of a mixer: {kernel: {column: figure or None}}."""
    facts, is_nvidia, figures = CHIPS[chip], chip.startswith("sm_"), {}
    with tempfile.TemporaryDirectory() as folder:
        run("mixc", "compile", spec, "--size", sizes, "--dtype", dtype, "--target", chip,
            "--emit", "tile,ptx" if is_nvidia else "tile,asm", "--output", folder)
        tile = next(pathlib.Path(folder).glob("*.mlir"))
        path = next(p for p in pathlib.Path(folder).iterdir() if p.suffix in (".ptx", ".s"))
        emitted = run("mix-opt", str(tile), f"--mix-gpu-pipeline=chip={chip}")
        text = path.read_text()
        explained = json.loads(run("mixc", "explain", spec, "--size", sizes, "--dtype", dtype, "--target", chip, "--json"))
        phases = {phase["name"]: phase for phase in explained["device"]["phases"]}
        for symbol, lines in find_kernels(text).items():
            code, phase = Code(lines), phases[symbol.removesuffix("_" + chip)]
            registers, private = (nvidia_registers(symbol, str(path), text, chip) if is_nvidia
                                  else amd_registers(symbol, text))
            shared = int(re.search(rf"@{symbol}\(.*mix_gpu\.shared = (\d+)", emitted)[1])
            blocks = registers and facts.resident_blocks(registers, shared)
            loop = code.hot_loop()
            figures[symbol.removesuffix("_" + chip)] = {
                "shared": shared, "blocks": blocks, "registers": registers,
                "limit": blocks and facts.register_limit(blocks), "private": private, "loop": len(loop),
                "matrix": share(count_matrix(loop), len(loop)), "busy": matrix_busy(loop, facts.mca),
                "wide": wide_share(code.all()),
                "bytes": 10000 * phase["round_bytes"] // phase["round_flops"] if phase["round_flops"] else None}
    return figures


# ---- The table ----

COLUMNS = ["shared", "blocks", "registers", "limit", "private", "loop", "matrix", "busy", "wide", "bytes"]
# Figures may be worse than the row by a part of it, where compilers of other versions differ.
AT_MOST = {"shared": 0, "private": 0, "loop": 0.05, "bytes": 0}
AT_LEAST = {"blocks": 0, "matrix": 0.05, "busy": 0.05, "wide": 0}


def find_worse(row, today):
    """What is worse today than the row says."""
    for column in COLUMNS:
        figure, stated = today[column], row.get(column, "-")
        if figure is None or not stated.isdigit():
            continue
        if column in AT_MOST and figure > int(stated) * (1 + AT_MOST[column]):
            yield f"{column} is {figure}, at most {stated} expected"
        if column in AT_LEAST and figure < int(stated) * (1 - AT_LEAST[column]):
            yield f"{column} is {figure}, at least {stated} expected"
        if column == "registers" and figure > int(row["limit"]):
            yield f"registers are {figure}, and the limit for {row['blocks']} blocks is {row['limit']}"


def main():
    table, examples = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    lines, measured, updated = table.read_text().splitlines(), {}, []
    rows = worse = 0
    skipped = set()
    for line in lines:
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) < 4 or cells[3] not in CHIPS:
            updated.append(line)
            continue
        kernel, *problem = cells[:4]
        mixer = kernel.rpartition("_")[0]
        key = (mixer, *problem)
        if key not in measured:
            measured[key] = measure(str(examples / f"{mixer}.mix"), *problem)
        today = measured[key].pop(kernel)
        row = dict(zip(COLUMNS, cells[4:]))
        rows += 1
        skipped |= {f"{column} of {problem[-1]}" for column in COLUMNS
                    if today[column] is None and row.get(column, "-").isdigit()}
        for what in find_worse(row, today):
            worse += 1
            print(f"WORSE {kernel} {' '.join(problem)}: {what}")
        stated = [row.get(c, "-") if today[c] is None else str(today[c]) for c in COLUMNS]
        updated.append("| " + " | ".join(cells[:4] + stated) + " |")
    for (mixer, *problem), rest in measured.items():
        for kernel in rest:
            worse += 1
            print(f"WORSE {kernel} {' '.join(problem)}: the table has no row for it")
    if "--update" in sys.argv:
        table.write_text("\n".join(updated) + "\n")
    for what in sorted(skipped):
        print(f"skipped: {what}")
    print(f"{rows} kernels, {worse} figures worse")


main()
