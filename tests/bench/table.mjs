// Sums and tables for benches.

export const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Prints rows of equal length, the first being heads: texts to the left, numbers to the right. */
export function printTable(rows) {
    const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => String(row[i]).length)));
    const isNumber = rows[0].map((_, i) => rows.slice(1).every((row) => /^[-\d.]+$/.test(row[i])));
    for (const row of rows) {
        const cells = row.map((cell, i) =>
            isNumber[i] ? String(cell).padStart(widths[i]) : String(cell).padEnd(widths[i]),
        );
        console.log(`  ${cells.join('  ')}`.trimEnd());
    }
}
