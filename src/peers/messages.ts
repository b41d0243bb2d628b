/**
 * Texts from one instance of the proxy to another.
 *
 * @module
 */

/** The other instances. What is sent to one that is not there is lost; nothing is kept. */
export interface InstanceMessages {
  /** A name for this instance in this run, never used before or after. */
  readonly instance: string;
  /**
   * Sends a text. What is sent to one instance arrives in the order in which it was sent, or not at all.
   *
   * @returns false where it is certain that nobody has heard it
   * @throws where nobody knows
   */
  send(to: string, text: string): Promise<boolean>;
  /** Has `listener` called with what is sent to this instance. One listener. */
  listen(listener: (text: string) => void): void;
  /**
   * Whether the instance with this name runs.
   *
   * @throws where nobody knows
   */
  isAlive(instance: string): Promise<boolean>;
}
