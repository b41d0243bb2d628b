/** The v1 SDK's HTTP+SSE transport, with its types named apart as in sdk_v1.ts. */
// @ts-types="@modelcontextprotocol/sdk/server/sse"
export { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
