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

  /** The finished columns, in the order in which they first appeared; integers of a column are of one type. */
  build(): Table {
    return Object.fromEntries([...this.#columns].map(([name, values]) => [name, unifyIntegers(values)]));
  }
}

/**
 * Brings the numbers of a column, in lists too, to one type: readers give wide integers as bigints beside others as numbers.
 *
 * @returns Numbers where all integers fit into 53 bits, or where some number has a fraction; else bigints.
 */
export function unifyIntegers(values: unknown[]): unknown[] {
  const kinds = new Set<'wide' | 'bigint' | 'integer' | 'float'>();
  const look = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(look);
    else if (typeof value === 'bigint') kinds.add(Number.isSafeInteger(Number(value)) ? 'bigint' : 'wide');
    else if (typeof value === 'number') kinds.add(Number.isSafeInteger(value) ? 'integer' : 'float');
  };
  look(values);
  if (!kinds.has('wide') && !kinds.has('bigint')) return values;
  const [type, convert] = kinds.has('wide') && !kinds.has('float') ? ['number', BigInt] : ['bigint', Number];
  const unify = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(unify);
    return typeof value === type ? (convert as (value: unknown) => unknown)(value) : value;
  };
  return values.map(unify);
}
