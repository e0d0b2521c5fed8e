// What the row-wise readers build: one array per column.

/** Columns by name, all of the same length. A missing value is `null`. */
export type Table = Record<string, unknown[]>;

/** Collects rows into columns. A column that appears late is filled with `null` for the rows before it. */
export class TableBuilder {
  readonly #columns = new Map<string, unknown[]>();
  #rows = 0;

  /** Adds one row; columns that it does not name get `null`. */
  addRow(row: Readonly<Record<string, unknown>>): void {
    for (const name in row) {
      let column = this.#columns.get(name);
      if (!column) {
        column = new Array(this.#rows).fill(null);
        this.#columns.set(name, column);
      }
      column.push(row[name] ?? null);
    }
    this.#rows++;
    for (const column of this.#columns.values()) {
      if (column.length < this.#rows) column.push(null);
    }
  }

  /** The finished columns, in the order in which they first appeared. */
  build(): Table {
    return Object.fromEntries(this.#columns);
  }
}
