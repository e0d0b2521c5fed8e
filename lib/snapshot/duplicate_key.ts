// JSON.parse keeps the last of two equal keys and says nothing; in a model file that could hide a tensor.

/**
 * Finds a key that occurs twice in one object, at any depth.
 *
 * @param json Text that JSON.parse accepts.
 * @returns The repeated key, or `undefined` where there is none.
 */
export function duplicateKey(json: string): string | undefined {
  // One entry per open bracket: the keys seen in an object, or undefined for an array.
  const open: (Set<string> | undefined)[] = [];
  let lastString = '';
  for (let at = 0; at < json.length; at++) {
    switch (json[at]) {
      case '{':
        open.push(new Set());
        break;
      case '[':
        open.push(undefined);
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case '"': {
        const end = stringEnd(json, at);
        lastString = json.slice(at, end);
        at = end - 1;
        break;
      }
      case ':': {
        const key = JSON.parse(lastString) as string;
        const keys = open.at(-1);
        if (keys?.has(key)) return key;
        keys?.add(key);
      }
    }
  }
  return undefined;
}

/** Position after the closing quote of the string that begins at `begin`. */
function stringEnd(json: string, begin: number): number {
  let at = begin + 1;
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at + 1;
}
