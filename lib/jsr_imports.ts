/**
 * Every module of JSR that this project imports, loaded by `deno task setup` to see whether JSR answers.
 *
 * @module
 */
import "@std/assert";
import "@std/cli/parse-args";
import "@std/http/negotiation";
import "@std/http/status";
import "@std/path";
