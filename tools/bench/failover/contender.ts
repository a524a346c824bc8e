/** Three processes of which one leads. */
export interface Cluster extends AsyncDisposable {
  /**
   * Kills the leader with SIGKILL and waits for the next one, then brings the killed one back and waits until it
   * takes part again. @returns milliseconds from the kill to a survivor that says of itself that it leads
   */
  failover(): Promise<number>;
}
