// HTML in which every value is text unless it was made here.

/** HTML that is as it should be. */
export class Html {
  constructor(readonly text: string) {}
}

type Value = Html | string | number | readonly Html[];

/** A template whose values are escaped, but for other templates and lists of them. */
export function html(parts: TemplateStringsArray, ...values: Value[]): Html {
  return new Html(parts.reduce((text, part, i) => text + inner(values[i - 1] as Value) + part));
}

function inner(value: Value): string {
  if (value instanceof Html) return value.text;
  return Array.isArray(value) ? value.map(({ text }: Html) => text).join('') : escapeText(String(value));
}

export function escapeText(text: string): string {
  const NAMES: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (letter) => NAMES[letter] as string);
}

/** A value as JSON that cannot end the script element it stands in. */
export function scriptJson(value: unknown): Html {
  return new Html(JSON.stringify(value).replaceAll('<', '\\u003c'));
}
