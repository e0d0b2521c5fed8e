/** Rows in the order of the column whose button was pressed: numbers from the greatest, text from the first; again: the other way. */
export function makeSortable(table: HTMLTableElement): void {
  const heads = [...table.querySelectorAll('th')];
  heads.forEach((head, column) => {
    head.querySelector('button')?.addEventListener('click', () => {
      const numeric = head.classList.contains('number');
      const before = head.getAttribute('aria-sort');
      const ascending = before === null ? !numeric : before === 'descending';
      for (const other of heads) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
      sortRows(table.tBodies[0] as HTMLTableSectionElement, column, numeric, ascending ? 1 : -1);
    });
  });
}

/** Rows without a number come last either way. */
function sortRows(body: HTMLTableSectionElement, column: number, numeric: boolean, sign: 1 | -1): void {
  const cell = (row: HTMLTableRowElement) => row.cells[column] as HTMLTableCellElement;
  const value = (row: HTMLTableRowElement) => Number(cell(row).dataset.value ?? Number.NaN);
  const byNumber = (a: HTMLTableRowElement, b: HTMLTableRowElement) => {
    const [left, right] = [value(a), value(b)];
    if (Number.isNaN(left) || Number.isNaN(right)) return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
    return sign * (left - right);
  };
  const byText = (a: HTMLTableRowElement, b: HTMLTableRowElement) =>
    sign * (cell(a).textContent ?? '').localeCompare(cell(b).textContent ?? '', 'en', { numeric: true });
  body.append(...[...body.rows].sort(numeric ? byNumber : byText));
}
