/**
 * Reads what `nvidia-smi -q -x` prints.
 *
 * @see https://docs.nvidia.com/deploy/nvidia-smi/
 * @module
 */

/** An XML element. */
export interface Element {
  readonly name: string;
  text: string;
  readonly children: Element[];
}

const TOKEN_REGEXP = /<(\/?)([\w.-]+)[^>]*?(\/?)>|([^<]+)/g;

/**
 * Parses XML of elements and text, without entities, which is all that nvidia-smi writes.
 *
 * @throws {SyntaxError} when elements are not nested
 */
export function parseXml(text: string): Element {
  const root: Element = { name: "", text: "", children: [] };
  const open = [root];
  // A lost GPU can put a line of text before the document.
  const body = text.slice(Math.max(0, text.indexOf("<"))).replace(/<[?!][^>]*>/g, "");
  for (const [, end, name, empty, content] of body.matchAll(TOKEN_REGEXP)) {
    const current = open.at(-1) ?? root;
    if (content !== undefined) current.text += content.trim();
    else if (end) {
      if (current.name !== name || open.length === 1) {
        throw new SyntaxError(`Cannot parse XML: "${name}" ends inside "${current.name}"`);
      }
      open.pop();
    } else if (name) {
      const element = { name, text: "", children: [] };
      current.children.push(element);
      if (!empty) open.push(element);
    }
  }
  if (open.length > 1) throw new SyntaxError(`Cannot parse XML: "${open.at(-1)?.name}" does not end`);
  return root;
}

/** The elements at a path such as `gpu/processes/process_info`. */
export function elementsAt(element: Element, path: string): Element[] {
  let found = [element];
  for (const name of path.split("/")) {
    found = found.flatMap(({ children }) => children.filter((child) => child.name === name));
  }
  return found;
}

/** The text of the first element at a path; undefined when there is none. */
export function textAt(element: Element, path: string): string | undefined {
  return elementsAt(element, path)[0]?.text;
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  "W": 1,
  "C": 1,
  "x": 1,
  "%": 0.01,
  "MiB": 2 ** 20,
  "MHz": 1e6,
  "KB/s": 1000,
};
const WORDS: Readonly<Record<string, number>> = {
  "Active": 1,
  "Not Active": 0,
  "Yes": 1,
  "No": 0,
  "Enabled": 1,
  "Disabled": 0,
};

/** A value in base units; undefined for `N/A` and what is no value. */
export function parseValue(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (Object.hasOwn(WORDS, text)) return WORDS[text];
  const [, number, unit = ""] = /^P?(-?[\d.]+)\s*([A-Za-z%/]*)$/.exec(text) ?? [];
  const factor = UNITS[unit];
  return number === undefined || factor === undefined ? undefined : Number(number) * factor;
}
