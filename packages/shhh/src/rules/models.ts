import type { TokenRule } from "../contract.ts";
import { atLeast, between, exactly } from "../part.ts";

/** Providers of models and what surrounds them. */
export const modelRules: readonly TokenRule[] = [
  {
    id: "openai-project",
    kind: "OpenAI project key",
    anchors: ["sk-proj-"],
    body: [between("base64url", [40, 400])],
    contains: "T3BlbkFJ",
  },
  {
    id: "openai-service",
    kind: "OpenAI service key",
    anchors: ["sk-svcacct-", "sk-admin-"],
    body: [between("base64url", [40, 400])],
    contains: "T3BlbkFJ",
  },
  {
    id: "openai-legacy",
    kind: "OpenAI key",
    anchors: ["sk-"],
    body: [exactly("base62", 20), "T3BlbkFJ", exactly("base62", 20)],
  },
  { id: "anthropic", kind: "Anthropic key", anchors: ["sk-ant-"], body: [atLeast("base64url", 60)] },
  { id: "openrouter", kind: "OpenRouter key", anchors: ["sk-or-v1-"], body: [exactly("hex", 64)] },
  { id: "groq", kind: "Groq key", anchors: ["gsk_"], body: [atLeast("base62", 52)] },
  { id: "xai", kind: "xAI key", anchors: ["xai-"], body: [atLeast("word", 80)] },
  { id: "perplexity", kind: "Perplexity key", anchors: ["pplx-"], body: [atLeast("base62", 48)] },
  { id: "huggingface", kind: "Hugging Face token", anchors: ["hf_"], body: [exactly("letter", 34)] },
  {
    id: "huggingface-org",
    kind: "Hugging Face organisation token",
    anchors: ["api_org_"],
    body: [exactly("letter", 34)],
  },
  { id: "replicate", kind: "Replicate token", anchors: ["r8_"], body: [exactly("base64url", 37)] },
  { id: "nvidia", kind: "NVIDIA key", anchors: ["nvapi-"], body: [atLeast("base64url", 60)] },
  {
    id: "langsmith",
    kind: "LangSmith key",
    anchors: ["lsv2_pt_", "lsv2_sk_"],
    body: [exactly("hex", 32), "_", exactly("hex", 10)],
  },
  { id: "langfuse", kind: "Langfuse secret key", anchors: ["sk-lf-"], body: [exactly("uuid", 36)] },
  {
    id: "pinecone",
    kind: "Pinecone key",
    anchors: ["pcsk_"],
    body: [between("base62", [5, 6]), "_", atLeast("base62", 63)],
  },
  { id: "elevenlabs", kind: "ElevenLabs key", anchors: ["sk_"], body: [exactly("hex", 48)] },
  { id: "wandb", kind: "Weights & Biases key", anchors: ["wandb_v1_"], body: [atLeast("word", 77)] },
  { id: "together", kind: "Together AI key", anchors: ["tgp_v1_"], body: [atLeast("base64url", 43)] },
  { id: "cerebras", kind: "Cerebras key", anchors: ["csk-"], body: [atLeast("alnum-lower", 48)] },
  { id: "runpod", kind: "RunPod key", anchors: ["rpa_"], body: [atLeast("base62", 46)] },
];
