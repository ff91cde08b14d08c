// Which test proves which rule: reads the logs of the runners and prints rule -> tests -> result.
//
//   node tests/rules.mjs LOG...     (make rules: those of the last make test)
//
// The rules are those of tests/rules.txt. A test bears the ids that its name has: RTP_05_RTP_06_padding
// in C, 'RTP-05 RTP-06 padding' in JavaScript. A line `- WHIP-47, WHIP-48: reason` in any README.md
// leaves rules out. Exit status 1: a rule has neither, or a test that bears one failed.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const FAMILIES = 'WHIP|ICE|SEC|COD|RTP|BUG';
const SHARED = ['../shared/protocols.md', '../shared/threats.md']; // where the rules are written
const ID = new RegExp(`^(?:(?:${FAMILIES})-\\d+|[WUM]\\d+)$`);

/** The ids in a test's name, as the rules write them. */
function idsOf(name) {
    const ids = new Set();
    for (const [, family, digits] of name.matchAll(
        new RegExp(`(?<![A-Za-z0-9])(${FAMILIES})[-_](\\d+)(?![A-Za-z0-9])`, 'g'))) {
        ids.add(`${family}-${digits.padStart(2, '0')}`);
    }
    for (const [, letter, digits] of name.matchAll(/(?<![A-Za-z0-9])([WUM])(\d+)(?![A-Za-z0-9])/g)) {
        ids.add(`${letter}${digits}`);
    }
    return ids;
}

/** cmocka's lines under `== folder/program`. */
function readCmocka(text) {
    const results = { '[       OK ]': 'pass', '[  FAILED  ]': 'fail', '[  ERROR   ]': 'fail',
        '[  SKIPPED ]': 'skip' };
    const tests = [];
    let file = '?';
    for (const line of text.split('\n')) {
        const result = results[line.slice(0, 12)];
        const name = line.slice(12).trim();
        if (line.startsWith('== ')) {
            const program = line.slice(3).trim();
            file = `tests/${/^process\//.test(program) ? '' : /^unit\//.test(program) ? '' : 'unit/'}${program}`;
        } else if (result && /^[A-Za-z_]\w*$/.test(name)) {
            tests.push({ result, file, name });
        }
    }
    return tests;
}

/** Lines of tests/e2e-log.mjs; TAP and spec output too, which do not tell the file. */
function readNode(text) {
    const tests = [];
    for (const line of text.split('\n')) {
        const own = /^(pass|fail|skip)\t([^\t]*)\t(.*)$/.exec(line);
        const tap = /^\s*(not )?ok \d+ - (.*?)( # SKIP.*)?$/.exec(line);
        const spec = /^\s*([✔✖﹣]) (.*?)(?: \([\d.]+ms\))?(?: # .*)?$/.exec(line);
        if (own) {
            tests.push({ result: own[1], file: own[2], name: own[3] });
        } else if (tap) {
            tests.push({ result: tap[3] ? 'skip' : tap[1] ? 'fail' : 'pass', file: 'e2e', name: tap[2] });
        } else if (spec) {
            const result = { '✔': 'pass', '✖': 'fail', '﹣': 'skip' }[spec[1]];
            tests.push({ result, file: 'e2e', name: spec[2] });
        }
    }
    return tests;
}

/** { id: reason } of all README files that git knows. */
function leftOut() {
    const reasons = new Map();
    const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*README.md'],
        { encoding: 'utf8' }).split('\n').filter(Boolean);
    for (const file of files) {
        for (const [, ids, reason] of readFileSync(file, 'utf8').matchAll(/^- ([A-Z][A-Z0-9, -]*\d): (.*)$/gm)) {
            for (const id of ids.split(/,\s*/).filter((one) => ID.test(one))) {
                reasons.set(id, `${path.dirname(file)}: ${reason}`);
            }
        }
    }
    return reasons;
}

/** The ids of tests/rules.txt; where the pages themselves are at hand, they must be the same. */
function rules() {
    const listed = readFileSync('tests/rules.txt', 'utf8').split(/\s+/).filter((word) => ID.test(word));
    if (SHARED.every(existsSync)) {
        const [protocols, threats] = SHARED.map((file) => readFileSync(file, 'utf8'));
        const written = [
            ...[...protocols.matchAll(new RegExp(`^- ((?:${FAMILIES})-\\d+)`, 'gm'))].map((m) => m[1]),
            ...[...threats.matchAll(/^\| ([WUM]\d+) \|/gm)].map((m) => m[1]),
        ];
        const differ = [...written.filter((id) => !listed.includes(id)).map((id) => `+${id}`),
            ...listed.filter((id) => !written.includes(id)).map((id) => `-${id}`)];
        if (differ.length > 0) {
            throw new Error(`tests/rules.txt differs from ${SHARED.join(', ')}: ${differ.join(' ')}`);
        }
    }
    return listed;
}

const logs = process.argv.slice(2).filter(existsSync);
if (logs.length === 0) {
    console.error('usage: node tests/rules.mjs LOG... (make rules, after make test)');
    process.exit(2);
}
const tests = logs.flatMap((log) => {
    const text = readFileSync(log, 'utf8');
    return [...readCmocka(text), ...readNode(text)];
});
const bearing = new Map();
for (const { result, file, name } of tests) {
    for (const id of idsOf(name)) {
        const known = bearing.get(id) ?? new Map();
        const key = `${file}:${name}`;
        known.set(key, known.get(key) === 'fail' ? 'fail' : result); // cmocka names failures twice
        bearing.set(id, known);
    }
}
const reasons = leftOut();
const count = { tested: 0, leftOut: 0 };
const missing = [];
const failed = [];
for (const id of rules()) {
    const own = [...(bearing.get(id) ?? new Map())];
    const ran = own.filter(([, result]) => result !== 'skip');
    if (ran.some(([, result]) => result === 'fail')) {
        failed.push(id);
        console.log(`${id}  FAILED`);
    } else if (ran.length > 0) {
        count.tested++;
        console.log(`${id}  pass, ${ran.length}`);
    } else if (reasons.has(id)) {
        count.leftOut++;
        console.log(`${id}  left out by ${reasons.get(id)}`);
    } else {
        missing.push(id);
        console.log(`${id}  MISSING${own.length > 0 ? ': all skipped' : ''}`);
    }
    for (const [test, result] of own) {
        console.log(`    ${result}  ${test}`);
    }
}
console.log(`\nrules: ${count.tested} with passing tests, ${count.leftOut} left out with reason, ` +
    `${failed.length} failed, ${missing.length} missing, of ${tests.length} tests in ${logs.length} logs`);
for (const [what, ids] of [['failed', failed], ['missing', missing]]) {
    if (ids.length > 0) {
        console.log(`${what}: ${ids.join(' ')}`);
    }
}
process.exit(failed.length + missing.length > 0 ? 1 : 0);
