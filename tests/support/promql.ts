/**
 * What a PromQL expression names. Whether it is well-formed is for the programs that evaluate it to decide.
 *
 * @module
 */

/** A condition on a label. */
export interface Matcher {
  readonly label: string;
  readonly operator: string;
  readonly value: string;
}

/** A metric with the conditions on its labels. */
export interface Selector {
  readonly metric: string;
  readonly matchers: readonly Matcher[];
}

/** The names in an expression. */
export interface ExpressionNames {
  readonly selectors: readonly Selector[];
  /** Labels after `by`, `on` and their like. */
  readonly groupingLabels: readonly string[];
}

const TOKEN_REGEXP = /"(?:[^"\\]|\\.)*"|[a-zA-Z_:][\w:]*|[\d.]\w*|=~|!~|[!=<>]=|\S/g;
const NAME_REGEXP = /^[a-zA-Z_:][\w:]*$/;
const GROUPING = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const OPERATORS = ["and", "or", "unless", "bool"];

/** Finds the metrics and labels that an expression names. */
export function namesOf(expression: string): ExpressionNames {
  const tokens: string[] = expression.match(TOKEN_REGEXP) ?? [];
  const selectors: Selector[] = [];
  const groupingLabels: string[] = [];
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] ?? "";
    const next = tokens[index + 1] ?? "";
    if (token === "[") {
      index = tokens.indexOf("]", index);
    } else if (token === "offset") {
      index++;
    } else if (GROUPING.includes(token)) {
      const end = tokens.indexOf(")", index);
      groupingLabels.push(...tokens.slice(index + 2, end).filter((each) => each !== ","));
      index = end;
    } else if (NAME_REGEXP.test(token) && !OPERATORS.includes(token)) {
      // Else it is a function, or an aggregation whose grouping stands before its operand.
      if (next === "(" || GROUPING.includes(next)) continue;
      const end = next === "{" ? tokens.indexOf("}", index) : index;
      selectors.push({ metric: token, matchers: matchersOf(tokens.slice(index + 2, end)) });
      index = end;
    }
  }
  return { selectors, groupingLabels };
}

/** Reads `label = "value" , …`. */
function matchersOf(tokens: readonly string[]): Matcher[] {
  const matchers: Matcher[] = [];
  for (let index = 0; index + 2 < tokens.length; index += 4) {
    const [label = "", operator = "", value = ""] = tokens.slice(index, index + 3);
    matchers.push({ label, operator, value: JSON.parse(value) });
  }
  return matchers;
}
