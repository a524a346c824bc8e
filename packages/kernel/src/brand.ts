declare const brand: unique symbol;

/** A string that only one parse function makes, so that an unchecked string cannot stand in for it. */
export type Branded<Name extends string> = string & { readonly [brand]: Name };

declare const clean: unique symbol;

/**
 * A value that has passed the secret scanner. `@chorus/shhh` alone makes it; whatever leaves the process
 * (gossip, records, prompts, logs, artifacts, HTTP bodies) accepts only this, so that skipping the scan is a
 * type error.
 */
export type Clean<T> = T & { readonly [clean]: true };
