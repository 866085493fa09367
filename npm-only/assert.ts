/**
 * The part of `@std/assert` that the tests use, on `node:assert`.
 *
 * Stands in for `jsr:@std/assert` where JSR is out of reach; names and behaviour are those of
 * https://jsr.io/@std/assert.
 *
 * @module
 */
import nodeAssert from "node:assert";

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error> = new (...args: any[]) => E;

/** Fails unless `value` is truthy. */
export function assert(value: unknown, message?: string): asserts value {
  nodeAssert.ok(value, message);
}

/** Fails unless `value` is falsy. */
export function assertFalse(value: unknown, message?: string): void {
  nodeAssert.ok(!value, message ?? `Expected a falsy value: got ${String(value)}`);
}

/** Fails unless the two are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.deepStrictEqual(actual, expected, message);
}

/** Fails if the two are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.notDeepStrictEqual(actual, expected, message);
}

/** Fails unless the two are the same by `Object.is`. */
export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T {
  nodeAssert.strictEqual(actual, expected, message);
}

/** Fails if `actual` is null or undefined. */
export function assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T> {
  nodeAssert.ok(actual !== undefined && actual !== null, message ?? `Expected a value: got ${actual}`);
}

/** Fails unless `actual` is an instance of `expectedType`. */
export function assertInstanceOf<T>(
  actual: unknown,
  // deno-lint-ignore no-explicit-any
  expectedType: abstract new (...args: any[]) => T,
  message?: string,
): asserts actual is T {
  nodeAssert.ok(
    actual instanceof expectedType,
    message ?? `Expected an instance of ${expectedType.name}: got ${String(actual)}`,
  );
}

/** Fails unless `actual` matches `expected`. */
export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  nodeAssert.match(actual, expected, message);
}

/** Fails if `actual` matches `expected`. */
export function assertNotMatch(actual: string, expected: RegExp, message?: string): void {
  nodeAssert.doesNotMatch(actual, expected, message);
}

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  nodeAssert.ok(actual.includes(expected), message ?? `Expected ${JSON.stringify(expected)} in: ${actual}`);
}

/** Fails unless every one of `expected` is in `actual`, compared deeply. */
export function assertArrayIncludes<T>(
  actual: ArrayLike<T>,
  expected: ArrayLike<T>,
  message?: string,
): void {
  const seen = Array.from(actual);
  const missing = Array.from(expected).filter((wanted) => !seen.some((value) => isDeepEqual(value, wanted)));
  nodeAssert.ok(missing.length === 0, message ?? `Expected ${JSON.stringify(missing)} in the array`);
}

/** Fails unless every property of `expected` is in `actual`, compared deeply. */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  message?: string,
): void {
  nodeAssert.deepStrictEqual(pick(actual, expected), expected, message);
}

/** Fails unless the two are at most `tolerance` apart. */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  message?: string,
): void {
  const allowed = tolerance ?? (Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  nodeAssert.ok(
    Object.is(actual, expected) || Math.abs(actual - expected) <= allowed,
    message ?? `Expected ${expected} within ${allowed}: got ${actual}`,
  );
}

/** Fails unless `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.ok(actual > expected, message ?? `Expected ${actual} > ${expected}`);
}

/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.ok(actual >= expected, message ?? `Expected ${actual} >= ${expected}`);
}

/** Fails unless `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.ok(actual < expected, message ?? `Expected ${actual} < ${expected}`);
}

/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.ok(actual <= expected, message ?? `Expected ${actual} <= ${expected}`);
}

/** Fails unless `run` throws, an `errorClass` whose message contains `messageIncludes` where given. */
export function assertThrows<E extends Error = Error>(
  run: () => unknown,
  errorClass?: ErrorClass<E>,
  messageIncludes?: string,
): E {
  try {
    run();
  } catch (error) {
    return checkError(error, errorClass, messageIncludes);
  }
  return nodeAssert.fail("Expected function to throw");
}

/** Fails unless `run` rejects, with an `errorClass` whose message contains `messageIncludes` where given. */
export async function assertRejects<E extends Error = Error>(
  run: () => PromiseLike<unknown>,
  errorClass?: ErrorClass<E>,
  messageIncludes?: string,
): Promise<E> {
  try {
    await run();
  } catch (error) {
    return checkError(error, errorClass, messageIncludes);
  }
  return nodeAssert.fail("Expected function to reject");
}

/** Always fails. */
export function fail(message?: string): never {
  nodeAssert.fail(message ?? "Failed");
}

function checkError<E extends Error>(
  error: unknown,
  errorClass?: ErrorClass<E>,
  messageIncludes?: string,
): E {
  if (errorClass) assertInstanceOf(error, errorClass);
  if (messageIncludes !== undefined) assertStringIncludes((error as Error).message, messageIncludes);
  return error as E;
}

function isDeepEqual(left: unknown, right: unknown): boolean {
  try {
    nodeAssert.deepStrictEqual(left, right);
    return true;
  } catch {
    return false;
  }
}

/** Reduces `actual` to the properties that `expected` has. */
function pick(actual: unknown, expected: unknown): unknown {
  if (Array.isArray(expected) || expected === null || typeof expected !== "object") return actual;
  if (actual === null || typeof actual !== "object") return actual;
  const source = actual as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(expected).filter(([key]) => key in source).map((
      [key, value],
    ) => [key, pick(source[key], value)]),
  );
}
