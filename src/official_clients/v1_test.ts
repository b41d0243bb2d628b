/**
 * The official v1 client through the proxy, to the session server of this repository and to the
 * reference server.
 *
 * @module
 */

import { testSessionEra } from "./session_suite.ts";
import { connectV1 } from "./session_v1.ts";

testSessionEra("v1 client", connectV1);
