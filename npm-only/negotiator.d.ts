/** The part of negotiator that negotiation.ts uses, typed here so that a run fetches no types. */
export default class Negotiator {
  constructor(request: { readonly headers: Readonly<Record<string, string>> });
  mediaType(available: readonly string[]): string | undefined;
  encoding(available: readonly string[]): string | undefined;
}
