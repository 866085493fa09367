/**
 * HTTP basic authentication (https://www.rfc-editor.org/rfc/rfc7617) against bcrypt hashes.
 *
 * What was checked is remembered under a keyed digest, so that a scraper costs one password check, not one a scrape.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { PasswordCheck } from "./password_checks.ts";

/** Refused credentials that are remembered: a scraper with an old password costs one check, too. */
const REMEMBERED_REFUSALS = 256;
/** Longest header that is looked at, in characters. */
const MAX_HEADER_LENGTH = 1024;

/** What came of the check: `busy` when it could not be done now. */
export type Verdict = "admitted" | "refused" | "busy";

/** Who asks. */
export interface Claim {
  /** The `Authorization` header. */
  readonly authorization: string | null;
  /** Address of the client. */
  readonly client: string;
}

interface User {
  readonly nameDigest: Buffer;
  readonly hash: string;
}

/** Admits the users of a list. */
export class BasicAuth {
  readonly #key = randomBytes(32);
  readonly #checks: { check(request: PasswordCheck): Promise<boolean | undefined> };
  #users: readonly User[] = [];
  /** Users by the digest of their admitted credentials; a hash admits one password, so there are about as many. */
  #admitted = new Map<string, User>();
  readonly #refused = new Set<string>();
  readonly #pending = new Map<string, Promise<Verdict>>();

  /** Sets it up; nothing runs yet. */
  constructor(checks: { check(request: PasswordCheck): Promise<boolean | undefined> }) {
    this.#checks = checks;
  }

  /** Replaces the users: bcrypt hashes by name. With none, nobody is admitted; whose hash stays, stays admitted. */
  setUsers(users: ReadonlyMap<string, string>): void {
    this.#users = [...users].map(([name, hash]) => ({ nameDigest: this.#digest(name), hash }));
    const isUser = ({ nameDigest, hash }: User): boolean =>
      this.#users.some((user) => user.hash === hash && user.nameDigest.equals(nameDigest));
    this.#admitted = new Map([...this.#admitted].filter(([, user]) => isUser(user)));
  }

  /** Decides whether to answer. */
  check(claim: Claim): Promise<Verdict> {
    const credentials = parseBasic(claim.authorization);
    if (!credentials || this.#users.length === 0) return Promise.resolve("refused");
    const { user, hash } = this.#find(credentials.user);
    const digest = this.#digest(JSON.stringify([credentials.user, hash, credentials.password]))
      .toString("base64");
    if (user && this.#admitted.has(digest)) return Promise.resolve("admitted");
    if (this.#refused.has(digest)) return Promise.resolve("refused");
    const pending = this.#pending.get(digest);
    if (pending) return pending;
    const verdict = this.#verify(
      { client: claim.client, password: credentials.password, hash },
      user,
      digest,
    )
      .finally(() => this.#pending.delete(digest));
    this.#pending.set(digest, verdict);
    return verdict;
  }

  /**
   * The user's hash. For a name that does not exist it is some user's, always the same for that name, so that the
   * time of the answer does not reveal which names exist.
   */
  #find(name: string): { user: User | undefined; hash: string } {
    const digest = this.#digest(name);
    let found: User | undefined;
    for (const user of this.#users) {
      if (timingSafeEqual(user.nameDigest, digest)) found = user;
    }
    const decoy = this.#users[digest.readUInt32LE() % this.#users.length];
    return { user: found, hash: (found ?? decoy)?.hash ?? "" };
  }

  async #verify(request: PasswordCheck, user: User | undefined, digest: string): Promise<Verdict> {
    const matches = await this.#checks.check(request);
    if (matches === undefined) return "busy";
    if (matches && user) {
      this.#admitted.set(digest, user);
      return "admitted";
    }
    if (this.#refused.size >= REMEMBERED_REFUSALS) {
      for (const oldest of this.#refused.keys().take(1)) this.#refused.delete(oldest);
    }
    this.#refused.add(digest);
    return "refused";
  }

  #digest(text: string): Buffer {
    return createHmac("sha256", this.#key).update(text).digest();
  }
}

function parseBasic(header: string | null): { user: string; password: string } | undefined {
  if (!header || header.length > MAX_HEADER_LENGTH) return undefined;
  const [, encoded] = /^basic +(\S+)$/i.exec(header) ?? [];
  const text = encoded && decode(encoded);
  const colon = text?.indexOf(":") ?? -1;
  return text && colon >= 0 ? { user: text.slice(0, colon), password: text.slice(colon + 1) } : undefined;
}

function decode(base64: string): string | undefined {
  try {
    return UTF8.decode(Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" }));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
