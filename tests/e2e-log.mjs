// A reporter for node --test: one line per test, for tests/rules.mjs. Result, file, title; tabs between.

import path from 'node:path';

export default async function* lines(events) {
    for await (const { type, data } of events) {
        if (type !== 'test:pass' && type !== 'test:fail') {
            continue;
        }
        const result = data.skip !== undefined ? 'skip' : type === 'test:pass' ? 'pass' : 'fail';
        const file = data.file ? path.relative(process.cwd(), data.file) : '?';
        yield `${result}\t${file}\t${data.name.replace(/\s+/g, ' ')}\n`;
    }
}
