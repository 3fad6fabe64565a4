"""Networks: options in, an ``nn.Module`` out."""
