class Mcplink < Formula
  desc "Keeps MCP (Model Context Protocol) connections alive and honest"
  homepage "@REPOSITORY@"
  url "@REPOSITORY@/releases/download/v@VERSION@/mcplink-@VERSION@-source.tar.gz"
  sha256 "@SOURCE_SHA256@"
  license any_of: ["MIT", "Apache-2.0"]

  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args(path: "crates/mcp-cli")
    generate_completions_from_executable(bin/"mcplink", "completions")
    system bin/"mcplink", "man", "--out", buildpath/"man"
    man1.install Dir["man/*.1"]
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/mcplink --version")
    assert_match "mcpServers", shell_output("#{bin}/mcplink schema")
  end
end
