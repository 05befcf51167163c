"""The libraries that the base installation leaves out, and the line for a person who lacks one."""

from __future__ import annotations

# Modules by the extra of pyproject.toml that brings them; one that several extras bring is named
# once.
MODULES = {
    "ask": ("anthropic", "openai", "phonenumbers", "stdnum"),
    "cpu": ("faiss",),
    "langchain": ("langchain_core",),
    "llama-index": ("llama_index",),
    "mcp": ("mcp",),
    "onnx": ("onnxruntime", "onnxscript", "openvino"),
    "pipeline": (
        "accelerate",
        "bs4",
        "charset_normalizer",
        "datasets",
        "dvc_data",
        "lxml",
        "mammoth",
        "markdownify",
        "openpyxl",
        "pdfplumber",
        "pebble",
        "peft",
        "pptx",
        "psutil",
        "py3langid",
        "pypdfium2",
        "rensa",
        "sentencex",
        "tree_sitter",
        "tree_sitter_c_sharp",
        "tree_sitter_cpp",
        "tree_sitter_go",
        "tree_sitter_java",
        "tree_sitter_javascript",
        "tree_sitter_php",
        "tree_sitter_python",
        "tree_sitter_ruby",
        "tree_sitter_rust",
        "tree_sitter_typescript",
        "vl_convert",
    ),
    "ray": ("ray",),
    "remote": ("dvc", "platformdirs", "scmrepo"),
    "serve": ("fastapi", "jwt", "prometheus_client", "starlette", "uvicorn"),
    "traces": ("opentelemetry",),
}


def what_to_install(error: ModuleNotFoundError) -> str:
    """One line with the pip command for the missing module; empty where no extra brings it."""
    module = (error.name or "").partition(".")[0]
    for extra, modules in MODULES.items():
        if module in modules:
            return f"'{module}' is not installed; run pip install 'argot-retrieval[{extra}]'"
    return ""
